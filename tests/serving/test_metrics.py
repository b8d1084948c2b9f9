"""What Prometheus reads of a service."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from selector.decisions import Prediction
from serving.config import ModelConfig
from serving.errors import ModelFailed
from serving.metrics import ServiceCollector
from serving.models import Model
from tests.serving.front_end import FrontEnd, vector


@pytest.fixture
def model() -> Model:
    config = ModelConfig(name="svm", runtime="python", artifact="a:B")
    return Model(config, 0.02, lambda: 0.0, lambda callback: callback())


def registry_of(end: FrontEnd, model: Model) -> CollectorRegistry:
    service: Any = SimpleNamespace(ready=True, applications={"app": end.app}, models={"svm:1": model})
    registry = CollectorRegistry()
    registry.register(ServiceCollector(service))
    return registry


def test_applications_tell_what_became_of_queries_and_feedback(tmp_path: Path, model: Model) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7}, default_output=-1, target_error=0.1)
    registry = registry_of(end, model)

    def value(name: str) -> float | None:
        return registry.get_sample_value(f"windjammer_{name}", {"application": "app"})

    query = end.answer().query_id
    end.observe(query, label=7)
    end.observe(query, label=7)
    end.observe(query, label=3)
    end.models["a:1"].says = ModelFailed("a:1: it raised")
    end.answer(input=vector(3.0))
    end.close()

    assert value("answers_total") == 2
    assert value("defaults_total") == 1
    assert value("sure_total") == 0
    assert value("unsure_total") == 2
    assert value("feedback_applied_total") == 1
    assert value("feedback_duplicate_total") == 1
    assert value("feedback_conflict_total") == 1
    assert value("under_way") == 0
    assert value("log_position") == end.app.knowledge.population.position
    assert value("latency_seconds_count") == 2
    assert registry.get_sample_value("windjammer_ready") == 1


def test_applications_tell_what_their_models_took(tmp_path: Path, model: Model) -> None:
    end = FrontEnd(tmp_path, {"gated:1": Prediction(7, cost=5.0), "plain:1": 7})
    end.answer()
    end.close()
    registry = registry_of(end, model)
    for key, cost in (("gated:1", 5.0), ("plain:1", 1.0)):
        labels = {"application": "app", "model": key}
        assert registry.get_sample_value("windjammer_predictions_total", labels) == 1
        assert registry.get_sample_value("windjammer_cost_total", labels) == cost


def test_models_tell_what_became_of_their_batches(tmp_path: Path, model: Model) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7})
    end.close()
    model.counters.sent(3)
    model.counters.sent(1)
    registry = registry_of(end, model)
    assert registry.get_sample_value("windjammer_model_batches_total", {"model": "svm:1"}) == 2
    assert registry.get_sample_value("windjammer_model_queries_total", {"model": "svm:1"}) == 4
    assert registry.get_sample_value("windjammer_model_replicas", {"model": "svm:1"}) == 0
    for bound, batches in (("1.0", 1), ("2.0", 1), ("4.0", 2), ("+Inf", 2)):
        labels = {"model": "svm:1", "le": bound}
        assert registry.get_sample_value("windjammer_model_batch_size_bucket", labels) == batches
