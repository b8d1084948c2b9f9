"""`windjammer replay --app`: policies on the log of an application."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace as changed
from typer.testing import CliRunner, Result

from feedback_store.contract import Pending, Row
from feedback_store.opening import open_log
from selector import Exp3, Exp4
from selector.decisions import Decision, Feedback, ModelsChanged, Query, encode
from selector.fold import Fold
from selector.losses import ZeroOne
from selector.policy import Policy
from selector.population import Population
from serving.cli import app
from tests.benchmarks.model_failure import decide
from tests.selector.worlds import MODELS, truth_and_predictions

CONFIG = """\
[models.cnn]
runtime = "python"
artifact = "models:Cnn"
cost = 4.0

[models.forest]
runtime = "python"
artifact = "models:Forest"

[models.svm]
runtime = "python"
artifact = "models:Svm"

[applications.digits]
models = ["cnn", "forest", "svm"]
input = { datatype = "JSON" }
policy = "POLICY"
"""


def a_store(folder: Path, policy: Policy[Any], n: int = 150) -> Population:
    """A configuration, and the log that a server of it would have left; what that server knew."""
    (folder / "windjammer.toml").write_text(CONFIG.replace("POLICY", policy.name))
    log = open_log(f"sqlite:///{folder}/windjammer.db")
    learner, rng, world = Fold(policy=policy, loss=ZeroOne()).everyone(), Random(1), Random("world")
    log.commit([], [Pending("digits", None, 1.0, ModelsChanged(MODELS))])
    learner.fold_all(log.entries("digits"))
    for i in range(1, n + 1):
        label, outputs = truth_and_predictions(world)
        decision: Decision = decide(policy, learner.state, Query(i, MODELS, features={"side": i % 2}), outputs, rng)
        decision = changed(decision, application="digits", at=float(i))
        event = Pending("digits", None, i + 0.5, Feedback((i,), label=label))
        log.commit([Row(i, "digits", None, None, encode(decision))], [event])
        learner.fold_all(log.entries("digits", learner.position))
    log.close()
    return learner


def replay(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["replay", str(folder / "windjammer.toml"), "--app", "digits", *arguments])


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    result = replay(folder, *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_candidates_are_compared_on_the_log_and_the_fold_is_the_servers(tmp_path: Path) -> None:
    learner = a_store(tmp_path, Exp4())
    found = told(tmp_path, "--policy", "exp3", "--set", "learning_rate=0.1", "--compare", "thompson", "--by", "side")
    assert [row["candidate"] for row in found["rows"]] == ["exp3", "thompson"]
    assert {row["estimator"] for row in found["rows"]} == {"exact"}
    digest = blake2b(learner.encode(), digest_size=16).hexdigest()
    assert found["outcomes"]["(logged)"]["state"] == digest
    assert found["outcomes"]["(logged)"]["cost"] == 6.0
    assert 1.0 <= found["outcomes"]["exp3"]["cost"] <= 4.0
    assert set(found["outcomes"]["exp3"]["segments"]) == {"0", "1"}
    assert json.loads(found["settings"]["candidates"]["exp3"])["learning_rate"] == 0.1
    assert found["settings"]["first"] == "1970-01-01T00:00:01+00:00"


def test_a_log_of_single_choices_is_answered_by_estimators(tmp_path: Path) -> None:
    a_store(tmp_path, Exp3(), 400)
    found = told(tmp_path, "--policy", "static", "--set", "model=cnn:1")
    assert found["rows"][0]["interval"] == "bounds"
    estimates = {row["estimator"]: row for row in found["partial"]["rows"]}
    assert estimates["snips"]["low"] < 0.9 < estimates["snips"]["high"]


def test_tables_and_the_page_tell_it_to_people(tmp_path: Path) -> None:
    a_store(tmp_path, Exp4())
    result = replay(tmp_path, "--compare", "majority_vote", "--report", str(tmp_path / "out.html"))
    assert result.exit_code == 0
    for word in ("application digits", "majority_vote", "cnn:1 alone", "regret", "models asked"):
        assert word in result.stdout
    assert "Mean reward so far" in (tmp_path / "out.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "exp33"], "--policy: unknown policy 'exp33'; did you mean 'exp3'?"),
        (["--policy", "exp3", "--set", "rate=1"], "unknown key 'rate'"),
        (["--policy", "exp3", "--set", "learning_rate"], "--set: expected KEY=VALUE"),
        (["--compare", "static"], "missing key 'model'"),
        ([], "expected --policy NAME, or --compare NAME"),
        (["--app", "faces", "--policy", "exp3"], "--app: unknown application 'faces'"),
        (["--policy", "exp3"], "the log has no decision with feedback"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "windjammer.toml").write_text(CONFIG.replace("POLICY", "exp3"))
    result = replay(tmp_path, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
