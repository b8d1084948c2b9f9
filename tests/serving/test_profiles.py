"""What a policy is told of the models: only if it wants to know, seldom measured anew, and written into the log."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from selector import LinUCB, Vowpal
from selector.decisions import Decision
from serving.models import Model
from serving.profiles import Profiles
from tests.serving.front_end import FrontEnd, ScriptedModel


def deployed() -> dict[str, ScriptedModel]:
    models = {"cnn:1": ScriptedModel(7), "svm:2": ScriptedModel(3)}
    models["svm:2"].version, models["svm:2"].cost = "2", 0.5
    return models


def decisions(end: FrontEnd) -> list[Decision]:
    return [decision for entry in end.log.entries("app") for decision in entry.decisions]


def test_a_profile_is_cost_version_and_latency_once_it_is_known() -> None:
    models = deployed()
    models["svm:2"].latency = 0.01234
    assert Profiles(cast("dict[str, Model]", models), lambda: 0.0).now() == {
        "cnn:1": {"cost": 1.0, "version": "1"},
        "svm:2": {"cost": 0.5, "version": "2", "latency": 12.3},
    }


def test_latencies_are_told_as_they_were_up_to_a_second_ago() -> None:
    models, clock = deployed(), [0.0]
    profiles = Profiles(cast("dict[str, Model]", models), lambda: clock[0])
    models["cnn:1"].latency = 0.01
    first = profiles.now()
    models["cnn:1"].latency, clock[0] = 0.02, 0.9
    assert profiles.now() is first
    clock[0] = 1.0
    assert profiles.now()["cnn:1"]["latency"] == 20.0
    assert first["cnn:1"]["latency"] == 10.0


def test_the_log_has_what_the_policy_was_told_and_its_state_follows_from_the_log(tmp_path: Path) -> None:
    policy = Vowpal(save_every=10)
    end = FrontEnd(tmp_path, {"cnn:1": 7, "svm:2": 3}, policy)
    for i in range(25):
        end.models["cnn:1"].latency = 0.001 * (1 + i)
        end.loop.now += 0.5
        end.observe(end.answer().query_id, label=7)
    end.update(7)
    told = [decision.query.about["cnn:1"]["latency"] for decision in decisions(end)]
    served, entries = end.app.knowledge.population, list(end.log.entries("app"))
    folded = end.app.config.fold.everyone().fold_all(entries)
    end.close()
    assert told[:4] == [1.0, 1.0, 3.0, 3.0]
    assert len(told) == 26
    assert folded.encode() == served.encode()
    assert "|m family=_cnn _cost:1.0 _latency:" in served.state.learned.since[0]


def test_a_policy_that_does_not_read_about_models_is_told_nothing(tmp_path: Path) -> None:
    end = FrontEnd(tmp_path, {"cnn:1": 7}, LinUCB())
    end.observe(end.answer().query_id, label=7)
    assert [decision.query.about for decision in decisions(end)] == [{}]
    end.close()
