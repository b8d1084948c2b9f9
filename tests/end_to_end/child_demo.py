"""`windjammer demo`, but its models learn from few images: for what does not depend on how good they are."""

from __future__ import annotations

from serving.cli import app
from serving.demo import digits

load_all = digits.load_digits


def few(seed: int) -> tuple[digits.Digits, digits.Digits]:
    train, held_out = load_all(seed)
    return digits.Digits(train.images[:200], train.labels[:200]), held_out


if __name__ == "__main__":
    digits.load_digits = few
    app(["demo"])
