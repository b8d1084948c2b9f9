"""How long answers would have taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace as changed

from selector import Cascade, Exp4, MajorityVote, Static
from selector.decisions import Answer, Decision, Query, Selection
from selector.fold import Fold
from selector.losses import ZeroOne
from selector.policy import Policy
from selector.replay.exact import Setting, replay
from selector.replay.latency import Latencies
from selector.replay.rehearsal import Judged
from tests.selector.replay.test_exact import Recorder
from tests.selector.worlds import MODELS


def decision(*rounds: tuple[str, ...], **microseconds: int) -> Decision:
    selections = tuple(Selection(models, 1.0) for models in rounds)
    return Decision("a", Query(1, ("x", "y", "z")), 1.0, "p", selections, {}, Answer(None), latencies=microseconds)


def test_rounds_follow_each_other_and_wait_for_their_slowest_model() -> None:
    logged = decision(("x", "y", "z"), x=2_000, y=5_000, z=1_000)
    assert Latencies().of(decision(("x", "y")), logged) == pytest.approx(0.005)
    assert Latencies().of(decision(("x",), ("y", "z")), logged) == pytest.approx(0.007)


def test_a_model_that_was_not_asked_needs_its_mean() -> None:
    latencies = Latencies()
    latencies.add(decision(("y",), y=1_000))
    latencies.add(decision(("y",), y=3_000))
    logged = decision(("x",), x=500)
    assert latencies.of(decision(("x",), ("y",)), logged) == pytest.approx(0.0025)
    assert latencies.of(decision(("z",)), logged) is None
    assert latencies.of(decision(), logged) is None


def test_candidates_are_compared_by_it() -> None:
    recorder = Recorder(Exp4(), 60)
    times = dict(zip(MODELS, (9_000, 4_000, 1_000), strict=True))

    def judged() -> Iterator[Judged]:
        return (Judged(changed(j.decision, latencies=times), j.feedback) for j in recorder.judged())

    candidates: dict[str, Policy[Any]] = {
        "vote": MajorityVote(),
        "cheap": Static(model=MODELS[2]),
        "cascade": Cascade(),
    }
    setting = Setting(fold=Fold(policy=Exp4(), loss=ZeroOne()))
    accounts = replay(judged(), recorder.log.entries("a"), candidates, setting).accounts
    assert accounts["vote"].latencies.tolist() == pytest.approx([0.009] * 60)
    assert accounts["cheap"].latencies.tolist() == pytest.approx([0.001] * 60)
    assert len(accounts["cascade"].latencies) == 60
