"""One deployed model: batches form, replicas pull, and every waiter hears once, whatever happens to the workers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from selector.decisions import Prediction
from selector.errors import WindjammerError
from serving.batching.queue import Expired
from serving.errors import ModelFailed, Overloaded
from serving.values import Input
from tests.serving.batching.fakes import KEY, Replica, Rig, Waiter, echo, number


def test_what_is_asked_in_one_turn_leaves_as_one_batch() -> None:
    rig = Rig(limit=10)
    waiters = [rig.ask(value) for value in range(5)]
    assert rig.replicas[0].sizes == []
    assert len(rig.loop.calls) == 1
    rig.loop.turn()
    assert rig.replicas[0].sizes == [5]
    rig.answer(rig.replicas[0])
    assert [waiter.outputs for waiter in waiters] == [[value] for value in range(5)]


def test_batches_form_while_the_workers_are_busy() -> None:
    rig = Rig(limit=100)
    replica = rig.replicas[0]
    for value in range(6):
        rig.ask(value)
        rig.loop.turn()
    assert replica.sizes == [1, 1]
    rig.answer(replica)
    assert replica.sizes == [1, 4]


def test_the_latency_to_be_expected_counts_what_waits() -> None:
    rig = Rig()
    for _ in range(10):
        rig.ask(0)
        rig.loop.turn()
        rig.answer(rig.replicas[0], seconds=0.02)
    assert rig.model.latency == pytest.approx(0.02)
    for _ in range(10):
        rig.ask(0)
    assert rig.model.latency == pytest.approx(0.02 + 10 * 0.02)


def test_nobody_knows_the_latency_of_a_model_that_has_answered_nothing() -> None:
    assert Rig().model.latency == 0.0


def test_the_replica_with_the_fewest_batches_in_flight_pulls() -> None:
    rig = Rig(replicas=2)
    for value in range(3):
        rig.ask(value)
        rig.loop.turn()
    assert [replica.sizes for replica in rig.replicas] == [[1, 1], [1]]


def test_the_next_batch_leaves_before_anybody_hears_of_the_last() -> None:
    rig = Rig()
    replica = rig.replicas[0]
    seen: list[int] = []

    class Curious(Waiter):
        def arrived(self, model: str, prediction: Prediction) -> None:
            seen.extend(replica.sizes)

    rig.model.ask(number(0), rig.clock.now + 1.0, Curious())
    for value in range(1, 3):
        rig.ask(value)
    rig.loop.turn()
    rig.answer(replica)
    assert seen == [1, 1]


def test_the_batch_size_leaves_time_to_wait_for_the_batch_before() -> None:
    rig = Rig(objective=0.020, limit=5)
    for seconds, learned in ((0.0085, 5), (0.0095, 4)):
        for value in range(5):
            rig.ask(value)
        rig.loop.turn()
        rig.answer(rig.replicas[0], seconds)
        assert rig.model.limits == {"svm:1/0": learned}


def test_a_slow_replica_has_one_batch_in_flight() -> None:
    rig = Rig(objective=0.020, limit=5)
    for _ in range(20):
        rig.ask(0)
        rig.loop.turn()
        rig.answer(rig.replicas[0], seconds=0.005)
    for value in range(3):
        rig.ask(value)
        rig.loop.turn()
    assert rig.replicas[0].sizes == [1]
    rig.answer(rig.replicas[0])
    assert rig.replicas[0].sizes == [2]


def test_a_waiter_that_asks_again_is_served_in_the_next_turn() -> None:
    rig = Rig()
    later = Waiter()

    class Chained(Waiter):
        def arrived(self, model: str, prediction: Prediction) -> None:
            rig.model.ask(number(7), rig.clock.now + 1.0, later)

    rig.model.ask(number(1), rig.clock.now + 1.0, Chained())
    rig.loop.turn()
    rig.answer(rig.replicas[0])
    rig.loop.turn()
    rig.answer(rig.replicas[0])
    assert later.outputs == [7]


def test_late_predictions_are_delivered() -> None:
    rig = Rig()
    waiter = rig.ask(3, timeout=0.5)
    rig.loop.turn()
    rig.answer(rig.replicas[0], seconds=2.0)
    assert waiter.outputs == [3]


def test_expired_work_never_reaches_the_model() -> None:
    rig = Rig()
    replica = rig.replicas[0]
    for value in range(2):
        rig.ask(value)
        rig.loop.turn()
    waiter = rig.ask(2, timeout=0.5)
    rig.answer(replica, seconds=0.6)
    rig.answer(replica)
    assert replica.sizes == []
    assert waiter.outputs == ["svm:1: the deadline passed in the queue"]
    assert isinstance(waiter.heard[0], Expired)
    assert rig.model.counters.expired == 1


def test_a_full_queue_refuses_at_once() -> None:
    rig = Rig(queue=2)
    waiters = [rig.ask(value) for value in range(3)]
    assert isinstance(waiters[2].heard[0], Overloaded)
    assert waiters[2].outputs == ["svm:1: 2 queries wait, and no more may"]
    assert rig.model.counters.refused == 1


def slow(rig: Rig) -> None:
    """Let the replica be known for taking .1 s for each row, and have one in flight."""
    for _ in range(60):
        rig.ask(0)
        rig.loop.turn()
        rig.answer(rig.replicas[0], seconds=0.1)
    rig.ask(0)
    rig.loop.turn()


def test_what_cannot_make_it_is_refused_and_what_can_is_not() -> None:
    rig = Rig()
    slow(rig)
    waiters = [rig.ask(value, timeout=0.45) for value in range(4)]
    assert [bool(waiter.heard) for waiter in waiters] == [False, False, False, True]
    assert waiters[3].outputs == ["svm:1: an answer would take about 500 ms, 450 ms are left"]
    assert rig.ask(4, timeout=0.25).heard == []
    assert rig.model.counters.refused == 1


def test_a_model_slower_than_every_deadline_is_still_asked_when_idle() -> None:
    rig = Rig()
    slow(rig)
    assert rig.ask(1, timeout=0.01).heard
    rig.answer(rig.replicas[0], seconds=0.1)
    waiter = rig.ask(2, timeout=0.01)
    rig.loop.turn()
    rig.answer(rig.replicas[0], seconds=0.001)
    assert waiter.outputs == [2]


def test_without_a_worker_asking_fails_at_once() -> None:
    rig = Rig(replicas=0)
    assert not rig.model.available
    assert rig.ask(1).outputs == ["svm:1: no worker is up"]


def test_what_a_lost_worker_had_goes_to_its_sibling() -> None:
    rig = Rig(replicas=2)
    waiter = rig.ask(1)
    rig.loop.turn()
    rig.model.left(rig.replicas[0], "killed by signal 9")
    assert rig.replicas[1].sizes == [1]
    rig.answer(rig.replicas[1])
    assert waiter.outputs == [1]
    assert rig.model.counters.retried == 1


def test_what_the_last_worker_had_waits_for_its_successor() -> None:
    rig = Rig()
    waiter = rig.ask(1)
    rig.loop.turn()
    rig.model.left(rig.replicas[0], "killed")
    assert (rig.model.available, waiter.heard) == (False, [])
    successor = Replica()
    rig.model.joined(successor)
    rig.answer(successor)
    assert waiter.outputs == [1]


def test_work_is_tried_on_two_workers_and_no_more() -> None:
    rig = Rig(replicas=3)
    waiter = rig.ask(1)
    rig.loop.turn()
    rig.model.left(rig.replicas[0], "killed")
    rig.model.left(rig.replicas[1], "hung for 10 s")
    assert waiter.outputs == ["svm:1: hung for 10 s"]
    assert rig.replicas[2].sizes == []
    assert rig.model.counters.failed == 1


def test_a_lost_workers_expired_work_is_not_tried_again() -> None:
    rig = Rig(replicas=2)
    waiter = rig.ask(1, timeout=0.5)
    rig.loop.turn()
    rig.clock.now += 0.5
    rig.model.left(rig.replicas[0], "killed")
    assert rig.replicas[1].sizes == []
    assert waiter.outputs == ["svm:1: killed"]


def test_what_waits_for_a_successor_in_vain_is_told_when_somebody_asks() -> None:
    rig = Rig()
    waiter = rig.ask(1, timeout=0.5)
    rig.loop.turn()
    rig.model.left(rig.replicas[0], "killed")
    rig.clock.now += 0.5
    rig.ask(2)
    assert waiter.outputs == ["svm:1: the deadline passed in the queue"]
    assert rig.model.waiting == 0


def test_watchers_hear_of_a_lost_worker_before_its_work_is_tried_again() -> None:
    rig = Rig(replicas=2)
    rig.ask(1)
    rig.loop.turn()
    seen: list[Any] = []
    rig.model.watch(lambda key: seen.append((key, rig.replicas[1].sizes)))
    rig.model.left(rig.replicas[0], "killed")
    rig.model.left(rig.replicas[0], "killed, told twice")
    assert seen == [(KEY, [])]


def test_an_error_of_one_row_is_that_rows_answer() -> None:
    rig = Rig(limit=3)
    waiters = [rig.ask(value) for value in range(3)]
    rig.loop.turn()
    batch, _ = rig.replicas[0].sent.pop()
    rig.model.told(rig.replicas[0], batch, [Prediction(0), ModelFailed("svm:1: NaN"), Prediction(2)])
    assert [waiter.outputs for waiter in waiters] == [[0], ["svm:1: NaN"], [2]]


def fail_if(rig: Rig, guilty: set[int]) -> int:
    """Answer all batches; those that hold a guilty row fail as a whole. Returns how many batches that took."""
    replica, batches = rig.replicas[0], 0
    while replica.sent:
        batches += 1
        batch, inputs = replica.sent.pop(0)
        values = {int.from_bytes(input.data, "little") for input in inputs}
        error = ModelFailed("svm:1: ValueError")
        rig.model.told(replica, batch, [error] * len(inputs) if values & guilty else echo(inputs))
    return batches


@pytest.mark.parametrize("guilty", [0, 13, 31])
def test_a_row_that_spoils_its_batch_fails_alone(guilty: int) -> None:
    rig = Rig(limit=32)
    waiters = [rig.ask(value) for value in range(32)]
    rig.loop.turn()
    assert fail_if(rig, {guilty}) == 11  # 32 rows, then two halves at each of five levels
    assert [value for value, waiter in enumerate(waiters) if waiter.outputs != [value]] == [guilty]
    assert waiters[guilty].outputs == ["svm:1: ValueError"]


def test_a_model_that_always_fails_is_not_asked_row_by_row() -> None:
    rig = Rig(limit=65)
    waiters = [rig.ask(value) for value in range(64)]
    rig.loop.turn()
    assert fail_if(rig, set(range(64))) < 40
    waiters += [rig.ask(value) for value in range(64)]
    rig.loop.turn()
    assert fail_if(rig, set(range(64))) == 1
    assert all(waiter.outputs == ["svm:1: ValueError"] for waiter in waiters)


def test_a_spoilt_batch_without_time_left_fails() -> None:
    rig = Rig(limit=3)
    waiters = [rig.ask(value, timeout=0.5) for value in range(3)]
    rig.loop.turn()
    rig.clock.now += 0.5
    fail_if(rig, {0})
    assert [waiter.outputs for waiter in waiters] == [["svm:1: ValueError"]] * 3


def test_a_batch_too_large_to_be_sent_is_halved_until_it_can() -> None:
    class Narrow(Replica):
        def send(self, batch: int, inputs: Sequence[Input]) -> None:
            if sum(int.from_bytes(input.data, "little") for input in inputs) > 10:
                raise WindjammerError("frame over the limit")
            super().send(batch, inputs)

    rig = Rig(replicas=0)
    narrow = Narrow()
    rig.model.joined(narrow)
    for _ in range(5):
        rig.grow(narrow)
    waiters = [rig.ask(value) for value in (5, 4, 11, 3)]
    rig.loop.turn()
    while narrow.sent:
        rig.answer(narrow)
    assert [waiter.outputs for waiter in waiters] == [[5], [4], ["svm:1: frame over the limit"], [3]]


def test_a_waiter_that_raises_harms_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Waiter):
        def arrived(self, model: str, prediction: Prediction) -> None:
            raise RuntimeError("bug")

    rig = Rig(limit=2)
    rig.model.ask(number(0), rig.clock.now + 1.0, Broken())
    waiter = rig.ask(1)
    rig.loop.turn()
    with caplog.at_level(logging.ERROR):
        rig.answer(rig.replicas[0])
    assert waiter.outputs == [1]
    assert "svm:1: a waiter raised" in caplog.text


def test_it_counts_what_it_does() -> None:
    rig = Rig(limit=9)
    before = (rig.model.counters.batches, rig.model.counters.queries, rig.model.counters.seconds)
    sizes = list(rig.model.counters.sizes)
    for value in range(5):
        rig.ask(value)
    rig.loop.turn()
    rig.answer(rig.replicas[0], seconds=0.004)
    counters = rig.model.counters
    assert counters.batches - before[0] == 1
    assert counters.queries - before[1] == 5
    assert counters.seconds - before[2] == pytest.approx(0.004)
    assert [new - old for new, old in zip(counters.sizes, sizes, strict=True)][:5] == [0, 0, 0, 1, 0]


class ModelMachine(RuleBasedStateMachine):
    """Workers come, go, raise and answer at any moment; every waiter hears exactly once in the end."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(queue=8, replicas=0)
        self.up: list[Replica] = []
        self.waiters: list[Waiter] = []

    @rule(value=st.integers(0, 9), timeout=st.sampled_from([0.001, 0.01, 0.1]), shape=st.sampled_from([(1,), (2,)]))
    def ask(self, value: int, timeout: float, shape: tuple[int, ...]) -> None:
        self.waiters.append(self.rig.ask(value, timeout, shape))

    @rule()
    def turn(self) -> None:
        self.rig.loop.turn()

    @rule(seconds=st.sampled_from([0.001, 0.02]))
    def pass_time(self, seconds: float) -> None:
        self.rig.clock.now += seconds

    @precondition(lambda self: len(self.up) < 3)
    @rule()
    def join(self) -> None:
        self.up.append(Replica())
        self.rig.model.joined(self.up[-1])

    @precondition(lambda self: self.up)
    @rule(which=st.integers(0, 2))
    def leave(self, which: int) -> None:
        self.rig.model.left(self.up.pop(which % len(self.up)), "killed")

    @precondition(lambda self: self.up)
    @rule(which=st.integers(0, 2), raises=st.booleans())
    def tell(self, which: int, raises: bool) -> None:
        replica = self.up[which % len(self.up)]
        if replica.sent:
            batch, inputs = replica.sent.pop(0)
            error = ModelFailed("svm:1: raised")
            self.rig.model.told(replica, batch, [error] * len(inputs) if raises else echo(inputs))

    @invariant()
    def batches_keep_their_bounds(self) -> None:
        for replica in self.up:
            assert len(replica.sent) <= 2
            for _, inputs in replica.sent:
                assert len({input.shape for input in inputs}) == 1

    @invariant()
    def nobody_hears_twice(self) -> None:
        assert Counter(len(waiter.heard) for waiter in self.waiters).keys() <= {0, 1}

    def teardown(self) -> None:
        self.join()
        self.rig.loop.turn()
        while any(replica.sent for replica in self.up):
            for replica in self.up:
                if replica.sent:
                    self.rig.answer(replica)
        assert all(len(waiter.heard) == 1 for waiter in self.waiters)


TestModelMachine = ModelMachine.TestCase
TestModelMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
