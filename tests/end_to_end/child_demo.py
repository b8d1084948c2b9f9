"""`windjammer demo`, but its models learn from few images: for what does not depend on how good they are."""

from __future__ import annotations

from serving.demo import demonstration, run
from serving.demo.digits import Digits, load_digits


def few(seed: int) -> tuple[Digits, Digits]:
    train, held_out = load_digits(seed)
    return Digits(train.images[:200], train.labels[:200]), held_out


if __name__ == "__main__":
    demonstration.load_digits = few
    raise SystemExit(run())
