"""The cache: the same input is not asked twice, and what is known stays within bounds of bytes and time."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from selector.decisions import Prediction
from serving.batching.queue import Expired
from serving.cache import OVERHEAD, Cache
from serving.errors import ModelFailed
from serving.values import PAIR, Input
from serving.values import Waiter as AnyWaiter
from tests.serving.batching.fakes import Clock, Waiter, number

ENTRY = OVERHEAD + 8


class Asked:
    """A model that answers when it is told to."""

    def __init__(self, key: str = "svm:1") -> None:
        self.key = key
        self.available = True
        self.asks: list[tuple[Input, float, AnyWaiter]] = []

    def ask(self, input: Input, deadline: float, waiter: AnyWaiter) -> None:
        if self.available:
            self.asks.append((input, deadline, waiter))
        else:
            waiter.failed(self.key, ModelFailed("down"))

    def answer(self, output: int = 1) -> None:
        self.asks.pop(0)[2].arrived(self.key, Prediction(output))

    def fail(self, error: ModelFailed) -> None:
        self.asks.pop(0)[2].failed(self.key, error)


class Rig:
    def __init__(self, limit: int = 1 << 20, ttl: float = 60.0) -> None:
        self.clock = Clock()
        self.cache = Cache(limit, ttl, self.clock)
        self.model = Asked()

    def ask(self, value: int = 0, timeout: float = 1.0, model: Asked | None = None) -> Waiter:
        waiter = Waiter()
        self.cache.ask(model or self.model, number(value), self.clock.now + timeout, waiter)
        return waiter

    def know(self, value: int, output: int = 1) -> None:
        self.ask(value)
        self.model.answer(output)

    def known(self, value: int) -> bool:
        return self.cache.peek("svm:1", number(value)) is not None


def test_what_is_known_is_answered_at_once() -> None:
    rig = Rig()
    rig.know(5, output=7)
    assert rig.ask(5).outputs == [7]
    assert (rig.model.asks, rig.cache.hits, rig.cache.misses) == ([], 1, 1)


def test_inputs_are_compared_and_not_only_hashed() -> None:
    rig = Rig()
    rig.know(5)
    same_bytes = Input("FP64", (1,), number(5).data)
    assert rig.cache.peek("svm:1", same_bytes) is None
    assert rig.cache.peek("svm:1", Input("INT64", (1,), bytes(number(5).data))) == Prediction(1)


def test_each_model_has_answers_of_its_own() -> None:
    rig = Rig()
    rig.know(5)
    other = Asked("cnn:1")
    assert rig.ask(5, model=other).heard == []
    assert len(other.asks) == 1


def test_the_same_input_in_flight_is_asked_once_and_answers_all() -> None:
    rig = Rig()
    waiters = [rig.ask(5) for _ in range(3)]
    assert len(rig.model.asks) == 1
    rig.model.answer(9)
    assert [waiter.outputs for waiter in waiters] == [[9]] * 3
    assert rig.cache.joined == 2


def test_an_error_reaches_all_that_joined_and_is_not_kept() -> None:
    rig = Rig()
    waiters = [rig.ask(5) for _ in range(3)]
    rig.model.fail(ModelFailed("raised"))
    assert [waiter.outputs for waiter in waiters] == [["raised"]] * 3
    rig.ask(5)
    assert len(rig.model.asks) == 1


def test_those_who_have_time_left_are_asked_for_again_when_the_first_ones_time_is_up() -> None:
    rig = Rig()
    first, earlier, later, latest = (rig.ask(5, timeout) for timeout in (0.5, 0.25, 3.0, 2.0))
    rig.clock.now += 0.5
    rig.model.fail(Expired("the deadline passed in the queue"))
    assert first.outputs == earlier.outputs == ["the deadline passed in the queue"]
    assert [deadline - rig.clock.now for _, deadline, _ in rig.model.asks] == [1.5]
    rig.model.answer(9)
    assert (later.outputs, latest.outputs) == ([9], [9])


def test_nobody_joins_what_waits_for_a_worker_to_come_back() -> None:
    rig = Rig()
    waiting = rig.ask(5)
    rig.model.available = False
    assert rig.ask(5).outputs == ["down"]
    rig.model.answer(9)
    assert waiting.outputs == [9]


def test_a_failure_at_once_leaves_nothing_behind() -> None:
    rig = Rig()
    rig.model.available = False
    assert rig.ask(5).outputs == ["down"]
    rig.model.available = True
    rig.ask(5)
    assert len(rig.model.asks) == 1


def test_entries_expire() -> None:
    rig = Rig(ttl=10.0)
    rig.know(5)
    rig.clock.now += 10.0
    assert not rig.known(5)
    rig.ask(5)
    assert len(rig.model.asks) == 1
    assert rig.cache.bytes == 0


def test_the_least_recently_used_goes_first() -> None:
    rig = Rig(limit=2 * ENTRY)
    rig.know(1)
    rig.know(2)
    rig.ask(1)
    rig.know(3)
    assert [rig.known(value) for value in (1, 2, 3)] == [True, False, True]
    assert rig.cache.evicted == 1


def test_a_limit_of_zero_keeps_nothing_but_still_joins() -> None:
    rig = Rig(limit=0)
    first, second = rig.ask(5), rig.ask(5)
    rig.model.answer(9)
    assert (first.outputs, second.outputs, rig.known(5), rig.cache.bytes) == ([9], [9], False, 0)


def test_what_is_larger_than_the_cache_does_not_empty_it() -> None:
    rig = Rig(limit=2 * ENTRY)
    rig.know(1)
    rig.cache.ask(rig.model, Input("BYTES", (), bytes(3 * ENTRY)), 0.0, Waiter())
    rig.model.answer()
    assert rig.known(1)


def test_a_model_forgotten_is_asked_again_and_others_are_not() -> None:
    rig = Rig()
    other = Asked("cnn:1")
    rig.know(5)
    rig.ask(5, model=other)
    other.answer()
    rig.cache.forget("svm:1")
    rig.ask(5)
    assert len(rig.model.asks) == 1
    assert rig.cache.peek("cnn:1", number(5)) == Prediction(1)


def test_what_was_in_flight_when_its_model_was_forgotten_is_delivered_and_not_kept() -> None:
    rig = Rig()
    before = rig.ask(5)
    rig.cache.forget("svm:1")
    after = rig.ask(5)
    rig.model.answer(1)
    assert (before.outputs, after.heard, rig.known(5)) == ([1], [], False)
    rig.model.answer(2)
    assert after.outputs == [2]
    assert rig.cache.peek("svm:1", number(5)) == Prediction(2)


@pytest.mark.parametrize("classes", [0, 10])
def test_the_bytes_counted_are_those_that_python_takes(classes: int) -> None:
    class Deaf(Waiter):
        def arrived(self, model: str, prediction: Prediction) -> None:
            pass

    entries, waiter = 5000, Deaf()
    model, cache = Asked(), Cache(1 << 30, 60.0, Clock())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for value in range(entries):
        pairs = tuple([(f"class {i}", (value + i) / 7) for i in range(classes)])
        cache.ask(model, Input("INT64", (1,), value.to_bytes(64, "little")), 0.0, waiter)
        model.asks.pop()[2].arrived("svm:1", Prediction(value, probabilities=pairs or None))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    print(taken / entries, cache.bytes / entries)
    assert cache.bytes == entries * (OVERHEAD + 64 + PAIR * classes)
    assert 0.85 * cache.bytes <= taken <= 1.1 * cache.bytes


class CacheMachine(RuleBasedStateMachine):
    """The cache against a dict of what was said last, by (model, input)."""

    values = st.integers(0, 4)
    models = st.sampled_from(["svm:1", "cnn:1"])

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cache = Cache(5 * ENTRY, 10.0, self.clock)
        self.models_by_key = {key: Asked(key) for key in ("svm:1", "cnn:1")}
        self.said: dict[tuple[str, int], tuple[int, float]] = {}
        self.asked: list[tuple[str, int, Waiter]] = []
        self.outputs = 0

    @rule(model=models, value=values)
    def ask(self, model: str, value: int) -> None:
        waiter = Waiter()
        known = self.cache.peek(model, number(value))
        self.cache.ask(self.models_by_key[model], number(value), 0.0, waiter)
        assert waiter.heard == ([] if known is None else [known])
        self.asked.append((model, value, waiter))

    @rule(model=models)
    def answer(self, model: str) -> None:
        if self.models_by_key[model].asks:
            self.outputs += 1
            input, _, flight = self.models_by_key[model].asks.pop(0)
            value = int.from_bytes(input.data, "little")
            hearing = [w for m, v, w in self.asked if (m, v) == (model, value) and not w.heard]
            flight.arrived(model, Prediction(self.outputs))
            assert any(waiter.outputs == [self.outputs] for waiter in hearing)
            self.said[model, value] = (self.outputs, self.clock.now + 10.0)

    @rule(model=models)
    def fail(self, model: str) -> None:
        if self.models_by_key[model].asks:
            self.models_by_key[model].fail(ModelFailed("raised"))

    @rule(model=models)
    def forget(self, model: str) -> None:
        self.cache.forget(model)
        assert all(self.cache.peek(model, number(value)) is None for value in range(5))

    @rule(seconds=st.sampled_from([1.0, 6.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def it_knows_nothing_but_what_was_said_last(self) -> None:
        for model in self.models_by_key:
            for value in range(5):
                known = self.cache.peek(model, number(value))
                if known is not None:
                    output, expires = self.said[model, value]
                    assert known.output == output
                    assert self.clock.now < expires

    @invariant()
    def it_keeps_its_bounds(self) -> None:
        assert self.cache.bytes == len(self.cache) * ENTRY <= self.cache.limit

    @invariant()
    def nobody_hears_twice(self) -> None:
        assert all(len(waiter.heard) <= 1 for _, _, waiter in self.asked)

    def teardown(self) -> None:
        for model in self.models_by_key:
            while self.models_by_key[model].asks:
                self.answer(model)
        assert all(len(waiter.heard) == 1 for _, _, waiter in self.asked)


TestCacheMachine = CacheMachine.TestCase
TestCacheMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
