"""A front end whose models fail: who is left out, what is written down, and what a restart knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from feedback_store.memory import MemoryLog
from selector.decisions import HealthChanged
from selector.policies import Static
from serving.config import parse
from serving.errors import ModelFailed
from serving.metrics import ServiceCollector
from serving.settings import ConfigError
from serving.values import ObserveReply, ObserveRequest
from tests.serving.front_end import FrontEnd, vector

GONE = ModelFailed("it raised")
RIGHT = {"a:1": 1, "b:1": 1, "c:1": 1}


@contextmanager
def front_end(folder: Path, models: dict[str, Any] = RIGHT, *args: Any, **settings: Any) -> Iterator[FrontEnd]:
    end = FrontEnd(folder, models, *args, **{"probing_share": 0.5, **settings})
    try:
        yield end
    finally:
        end.close()


def ask(end: FrontEnd, queries: int, label: int | None = None) -> None:
    """Queries that differ; what they bring about is durable and acted upon in the end."""
    for _ in range(queries):
        end.loop.now += 0.01
        reply = end.answer(input=vector(end.loop.now, 0.0))
        if label is not None:
            end.observe(reply.query_id, label=label)
    done: list[object] = []
    end.writer.call(lambda log: None, done.append)
    while not done:
        end.turn()


def fail(end: FrontEnd, model: str = "a:1") -> None:
    end.models[model].says = GONE
    ask(end, 40)
    assert end.app.health.state(model) == "quarantined"


def until_healthy(end: FrontEnd, model: str = "a:1") -> None:
    for _ in range(30):
        ask(end, 10)
    assert end.app.health.state(model) == "healthy"


def test_a_model_that_fails_is_left_out_and_asked_only_in_shadow(tmp_path: Path) -> None:
    with front_end(tmp_path) as end:
        fail(end)
        assert end.app.available() == ("b:1", "c:1")
        reply = end.answer()
        assert set(reply.models) == {"b:1", "c:1"}
        end.models["a:1"].asked = 0
        ask(end, 200)
        assert 50 < end.models["a:1"].asked < 150  # half of the queries; ten deviations of a binomial


def test_the_log_has_every_change_with_its_evidence(tmp_path: Path) -> None:
    with front_end(tmp_path) as end:
        fail(end)
        event = [entry.event for entry in end.log.entries("app")][-1]
        assert isinstance(event, HealthChanged)
        assert (event.model, event.state) == ("a:1", "quarantined")
        assert event.evidence.startswith("it fails ")
        told = end.app.health.describe()
        assert (told["a:1"]["state"], told["a:1"]["evidence"]) == ("quarantined", event.evidence)
        assert 2e9 < told["a:1"]["since"] <= 2e9 + end.loop.now
        assert told["b:1"] == {"state": "healthy", "since": None, "evidence": ""}


def test_a_probe_is_logged_with_its_probability_and_scored_by_the_label(tmp_path: Path) -> None:
    with front_end(tmp_path, probing_share=1.0) as end:
        fail(end)
        end.models["a:1"].says = 1
        query = end.answer(input=vector(7.0, 7.0)).query_id
        counts = end.app.state()["models"]
        end.observe(query, label=1)
        decision = end.log.decision("app", int(query))
        assert decision is not None
        (probe,) = decision.shadows
        assert (probe.models, probe.probability) == (("a:1",), 1.0)
        assert "a:1" not in decision.predictions
        assert end.app.state()["models"]["a:1"]["count"] == counts["a:1"]["count"] + 1


def test_a_probe_that_answers_after_the_label_came_is_scored_by_it(tmp_path: Path) -> None:
    with front_end(tmp_path, probing_share=1.0) as end:
        fail(end)
        counts, replies = end.app.state()["models"], list[Any]()
        end.models["a:1"].says = None
        query = end.answer(input=vector(7.0, 7.0)).query_id
        end.app.observe(ObserveRequest((int(query),), label=1), replies.append)
        end.models["a:1"].release(1)
        end.turn()
        assert replies == [ObserveReply("applied")]
        assert end.app.state()["models"]["a:1"]["count"] == counts["a:1"]["count"] + 1


def test_it_returns_when_it_has_recovered(tmp_path: Path) -> None:
    with front_end(tmp_path) as end:
        fail(end)
        end.models["a:1"].says = 1
        until_healthy(end)
        assert end.app.available() == ("a:1", "b:1", "c:1")
        states = [entry.event.state for entry in end.log.entries("app") if isinstance(entry.event, HealthChanged)]
        assert states == ["quarantined", "probing", "healthy"]


def test_a_restart_takes_the_states_from_the_log_and_finds_the_recovery(tmp_path: Path) -> None:
    log = MemoryLog()
    with front_end(tmp_path / "first", log=log) as end:
        fail(end)
        before = end.app.health.describe(), end.app.state()["digest"]
    log._closed = False  # as another process would find it
    with front_end(tmp_path / "second", log=log) as end:
        assert (end.app.health.describe(), end.app.state()["digest"]) == before
        assert end.app.available() == ("b:1", "c:1")
        until_healthy(end)


def test_labels_tell_of_a_model_that_answers_nonsense(tmp_path: Path) -> None:
    with front_end(tmp_path) as end:
        for label in range(40):
            for model in end.models.values():
                model.says = label % 5
            ask(end, 1, label % 5)
        end.models["a:1"].says = 9
        for label in range(40):
            end.models["b:1"].says = end.models["c:1"].says = label % 5
            ask(end, 1, label % 5)
        assert end.app.health.state("a:1") == "quarantined"


def test_what_a_model_said_before_its_health_changed_is_forgotten(tmp_path: Path) -> None:
    with front_end(tmp_path, cache_bytes=1 << 20) as end:
        end.answer(input=vector(1.0, 1.0))
        assert end.app.cached("a:1", vector(1.0, 1.0)) is not None
        fail(end)
        assert end.app.cached("a:1", vector(1.0, 1.0)) is None
        assert end.app.cached("b:1", vector(1.0, 1.0)) is not None


def test_a_failing_model_without_siblings_keeps_being_asked(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": GONE}, default_output=0) as end:
        ask(end, 60)
        assert end.app.health.state("a:1") == "suspect"
        assert end.app.available() == ("a:1",)


def test_a_policy_that_asks_no_other_model_keeps_its_own(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": GONE, "b:1": 1}, Static(model="a:1"), default_output=0) as end:
        ask(end, 60)
        assert end.app.health.state("a:1") == "suspect"


def test_if_only_those_in_quarantine_are_up_they_are_asked(tmp_path: Path) -> None:
    with front_end(tmp_path) as end:
        fail(end)
        end.models["b:1"].available = end.models["c:1"].available = False
        assert end.app.available() == ("a:1",)


def test_quarantine_can_be_turned_off(tmp_path: Path) -> None:
    with front_end(tmp_path, quarantine=False) as end:
        end.models["a:1"].says = GONE
        ask(end, 60)
        assert end.app.health.state("a:1") == "suspect"
        assert end.app.available() == ("a:1", "b:1", "c:1")


def test_slowness_counts_only_where_a_model_had_the_time_of_the_objective(tmp_path: Path) -> None:
    with front_end(tmp_path) as end:
        end.models["a:1"].says = None
        for query in range(60):
            replies = end.predict(input=vector(float(query), 0.0), timeout=0.001)
            end.loop.move_to(end.loop.now + 0.001)
            assert len(replies) == 1
        ask_nothing_more = end.app.health.state("a:1")
        assert ask_nothing_more == "healthy"
        for query in range(60):
            end.predict(input=vector(float(query), 0.0))
            end.loop.move_to(end.loop.now + 0.02)
        ask(end, 0)
        assert end.app.health.state("a:1") == "quarantined"


def test_updates_probe_too_and_wait_for_no_model_in_quarantine_otherwise(tmp_path: Path) -> None:
    with front_end(tmp_path, probing_share=1e-9) as end:
        fail(end)
        end.models["a:1"].asked = 0
        end.update(1, input=vector(5.0, 5.0))
        assert end.models["a:1"].asked == 0
    with front_end(tmp_path / "always", probing_share=1.0) as end:
        fail(end)
        end.models["a:1"].says = 1
        end.models["a:1"].asked = 0
        end.update(1, input=vector(5.0, 5.0))
        assert end.models["a:1"].asked == 1


def test_prometheus_is_told_of_states_and_changes(tmp_path: Path) -> None:
    with front_end(tmp_path) as end:
        service: Any = SimpleNamespace(ready=True, applications={"app": end.app}, models={})
        registry = CollectorRegistry()
        registry.register(ServiceCollector(service))

        def value(name: str, state: str) -> float | None:
            labels = {"application": "app", "model": "a:1", "state": state}
            return registry.get_sample_value(f"windjammer_{name}", labels)

        assert [value("model_health", state) for state in ("healthy", "quarantined")] == [1, 0]
        fail(end)
        assert [value("model_health", state) for state in ("healthy", "quarantined")] == [0, 1]
        assert value("health_changes_total", "quarantined") == 1


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_probing_shares_are_parts_of_the_queries(share: float, tmp_path: Path) -> None:
    text = f"""
[models.a]
runtime = "python"
artifact = "m:M"
[applications.app]
models = ["a"]
input = {{ datatype = "FP32", shape = [2] }}
policy = "exp4"
probing_share = {share}
"""
    with pytest.raises(ConfigError, match="probing_share"):
        parse(text, tmp_path)
