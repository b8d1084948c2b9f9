"""`windjammer replay --app`: policies on the log of an application."""

from __future__ import annotations

import json
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace as changed
from typer.testing import CliRunner, Result

from feedback_store.contract import Pending, Row
from feedback_store.opening import open_log
from feedback_store.ownership import held_alone
from selector import EpsilonGreedy, Exp3, Exp4, Static
from selector.decisions import Answer, Decision, Feedback, ModelsChanged, PolicyChanged, Query, Selection, encode
from selector.fold import Fold
from selector.losses import ZeroOne
from selector.policy import Policy
from selector.population import Population
from serving.cli import app
from serving.config import load
from serving.promotion import in_force
from serving.replaying.results import SEGMENTS
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
policy = POLICY
"""


def a_store(folder: Path, policy: Policy[Any], n: int = 150, *, shadows: bool = False, examples: int = 0) -> Population:
    """A configuration, and the log that a server of it would have left; what that server knew.

    With `shadows` the log has what all models said. The first are `examples`.
    """
    (folder / "windjammer.toml").write_text(CONFIG.replace("POLICY", _toml(policy)))
    log = open_log(f"sqlite:///{folder}/windjammer.db")
    learner, rng, world = Fold(policy=policy, loss=ZeroOne()).everyone(), Random(1), Random("world")
    log.commit([], [Pending("digits", None, 1.0, ModelsChanged(MODELS))])
    learner.fold_all(log.entries("digits"))
    for i in range(1, n + 1):
        label, outputs = truth_and_predictions(world)
        query = Query(i, MODELS, features={"side": i % 2, "room": i % 30})
        if i <= examples:
            decision = Decision("", query, 0.0, "", (Selection(MODELS, 1.0),), outputs, Answer(None))
        else:
            decision = decide(policy, learner.state, query, outputs, rng)
        decision = changed(decision, application="digits", at=float(i))
        event = Pending("digits", None, i + 0.5, Feedback((i,), label=label, joined=outputs if shadows else {}))
        log.commit([Row(i, "digits", None, None, encode(decision))], [event])
        learner.fold_all(log.entries("digits", learner.position))
    log.close()
    return learner


def _toml(policy: Policy[Any]) -> str:
    return f'{{ name = "static", model = "{policy.model}:1" }}' if isinstance(policy, Static) else f'"{policy.name}"'


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
    name = "exp3 learning_rate=0.1"
    assert [row["candidate"] for row in found["rows"]] == [name, "thompson"]
    assert {row["estimator"] for row in found["rows"]} == {"exact"}
    digest = blake2b(learner.encode(), digest_size=16).hexdigest()
    assert found["outcomes"]["(logged)"]["state"] == digest
    assert found["outcomes"]["(logged)"]["cost"] == 6.0
    assert 1.0 <= found["outcomes"][name]["cost"] <= 4.0
    assert set(found["outcomes"][name]["segments"]) == {"0", "1"}
    assert json.loads(found["settings"]["candidates"][name])["learning_rate"] == 0.1
    assert found["settings"]["first"] == "1970-01-01T00:00:01+00:00"


def test_a_log_of_single_choices_is_answered_by_estimators(tmp_path: Path) -> None:
    a_store(tmp_path, Exp3(), 400)
    found = told(tmp_path, "--policy", "static", "--set", "model=cnn:1")
    assert found["rows"][0]["interval"] == "bounds"
    estimates = {row["estimator"]: row for row in found["partial"]["rows"]}
    assert estimates["snips"]["low"] < 0.9 < estimates["snips"]["high"]


def test_examples_leave_a_log_of_single_choices_one(tmp_path: Path) -> None:
    a_store(tmp_path, Exp3(), 400, examples=50)
    found = told(tmp_path, "--policy", "static", "--set", "model=cnn:1")
    assert found["partial"]["rows"]


def test_tables_and_the_page_tell_it_to_people(tmp_path: Path) -> None:
    a_store(tmp_path, Exp4())
    result = replay(tmp_path, "--compare", "majority_vote", "--report", str(tmp_path / "out.html"))
    assert result.exit_code == 0
    for word in ("application digits", "majority_vote", "cnn:1 alone", "regret", "models asked"):
        assert word in result.stdout
    assert "Mean reward so far" in (tmp_path / "out.html").read_text()


def test_a_grid_of_settings_is_tried_in_one_pass_and_named_by_them(tmp_path: Path) -> None:
    a_store(tmp_path, Exp4())
    grid = ("--grid", "learning_rate=.1,.5", "--grid", "share=0,0.01,0.1", "--compare", "exp4")
    found = told(tmp_path, "--policy", "exp3", *grid)
    names = [f"exp3 learning_rate={rate} share={share}" for rate in (0.1, 0.5) for share in (0, 0.01, 0.1)]
    assert [row["candidate"] for row in found["rows"]] == [*names, "exp4"]
    last = json.loads(found["settings"]["candidates"][names[-1]])
    assert (last["learning_rate"], last["share"]) == (0.5, 0.1)
    assert len(found["differences"]) == 8 * 7 / 2, "all pairs, the logged policy's too, hold at once"
    shown = replay(tmp_path, "--policy", "exp3", *grid).stdout
    assert "…" not in shown, "nothing is cut at 80 columns"
    assert all(f"  {name} " in shown for name in names)
    assert "of all: estimator exact, interval bootstrap, ESS 150" in shown


def test_a_setting_may_be_compared_with_its_default(tmp_path: Path) -> None:
    a_store(tmp_path, Exp4())
    settings = ("--set", 'costs={"cnn": 4}', "--set", "novelty=0", "--grid", "alpha=0.5,1")
    found = told(tmp_path, "--policy", "linucb", *settings, "--compare", "linucb", "--compare", "linucb")
    names = [f'linucb costs={{"cnn":4}} novelty=0 alpha={alpha}' for alpha in (0.5, 1)]
    assert [row["candidate"] for row in found["rows"]] == [*names, "linucb"], "the same asked twice is one"
    candidates = {name: json.loads(text) for name, text in found["settings"]["candidates"].items()}
    assert [candidates[name]["novelty"] for name in names] == [0.0, 0.0]
    assert candidates["linucb"]["novelty"] > 0.0


def test_the_largest_segments_are_shown_with_how_many_more_there_are(tmp_path: Path) -> None:
    a_store(tmp_path, Exp4())
    found = told(tmp_path, "--compare", "exp3", "--by", "room")["outcomes"]["exp3"]["segments"]
    assert {name: each["decisions"] for name, each in found.items()} == {str(room): 5 for room in range(30)}
    page = tmp_path / "out.html"
    shown = replay(tmp_path, "--compare", "exp3", "--by", "room", "--report", str(page)).stdout
    lines = [line.split() for line in shown.splitlines()]
    assert ["0", "5", f"{1 - found['0']['reward']:.4f}"] in [[*line[:2], line[-1]] for line in lines if len(line) == 4]
    for text in (shown, page.read_text()):
        assert f"and {30 - SEGMENTS} smaller segments" in text


def test_segments_may_be_the_models_with_their_versions(tmp_path: Path) -> None:
    a_store(tmp_path, Exp4())
    found = told(tmp_path, "--compare", "exp3", "--by", "models")["outcomes"]["exp3"]["segments"]
    assert {name: each["decisions"] for name, each in found.items()} == {", ".join(MODELS): 150}


def test_what_the_log_does_not_tell_of_a_model_is_said(tmp_path: Path) -> None:
    a_store(tmp_path, Static(model="cnn"))
    shown = replay(tmp_path, "--compare", "exp3").stdout
    (alone,) = [line for line in shown.splitlines() if "cnn:1 alone" in line]
    assert alone.split()[-1] == "0.0%"
    assert "forest:1 alone" not in shown
    assert "the best of them each time" not in shown, "nobody knows what the others would have said"


class TestTheGate:
    def test_says_what_it_would_do_and_does_it_when_told_to(self, tmp_path: Path) -> None:
        a_store(tmp_path, Static(model="forest"), shadows=True)
        settings = ("--policy", "static", "--set", "model=cnn", "--promote", "--margin", "0.02")
        dry = told(tmp_path, *settings)["gate"]
        assert (dry["adopt"], dry["adopted"], in_use(tmp_path)) == ("static model=cnn", False, "forest:1")
        done = told(tmp_path, *settings, "--yes")["gate"]
        assert (done["adopt"], done["adopted"], in_use(tmp_path)) == ("static model=cnn", True, "cnn")
        with closing(open_log(f"sqlite:///{tmp_path}/windjammer.db")) as log:
            entry = log.announcement("digits")
        assert entry is not None
        assert isinstance(entry.event, PolicyChanged)
        assert json.loads(entry.event.evidence).items() <= done.items()

    def test_judges_only_what_the_policy_in_force_has_decided(self, tmp_path: Path) -> None:
        a_store(tmp_path, Static(model="forest"), shadows=True)
        settings = ("--policy", "static", "--set", "model=cnn", "--promote")
        assert told(tmp_path, *settings, "--yes")["gate"]["decisions"] == 150
        again = replay(tmp_path, *settings)
        assert again.exit_code == 2
        assert "no decision with feedback" in again.stderr

    def test_adopts_nothing_without_need(self, tmp_path: Path) -> None:
        a_store(tmp_path, Static(model="cnn"), shadows=True)
        page = tmp_path / "out.html"
        settings = ("--policy", "static", "--set", "model=forest", "--promote", "--yes")
        shown = replay(tmp_path, *settings, "--report", str(page)).stdout
        for text in (shown, page.read_text()):
            assert "does not beat the current" in text
            assert "no policy is adopted" in text
        assert in_use(tmp_path) == "cnn:1"

    def test_goes_by_estimates_where_each_decision_asked_one_model(self, tmp_path: Path) -> None:
        """All three models at random, of which the best is right in nine cases of ten."""
        a_store(tmp_path, EpsilonGreedy(epsilon=1.0), 900)
        gate = told(tmp_path, "--policy", "static", "--set", "model=cnn", "--compare", "exp4", "--promote")["gate"]
        assert gate["adopt"] == "static model=cnn"
        assert gate["candidates"]["static model=cnn"]["estimator"] == "blend"
        assert gate["candidates"]["exp4"]["reason"] == "the log does not tell the outcome of all its decisions"
        assert gate["current"]["value"] < gate["candidates"]["static model=cnn"]["low"]

    def test_leaves_a_running_server_alone(self, tmp_path: Path) -> None:
        a_store(tmp_path, Static(model="forest"), shadows=True)
        with held_alone(tmp_path / "windjammer.db-spool"):
            result = replay(tmp_path, "--policy", "exp4", "--promote", "--yes")
        assert result.exit_code == 2
        assert "a server runs on this log: POST /admin/applications/{app}/evaluate" in result.stderr

    def test_an_adopted_policy_gives_way_to_another_configuration(self, tmp_path: Path) -> None:
        a_store(tmp_path, Static(model="forest"), shadows=True)
        told(tmp_path, "--policy", "static", "--set", "model=cnn", "--promote", "--yes")
        configuration = tmp_path / "windjammer.toml"
        text = configuration.read_text()
        configuration.write_text(text.replace("forest:1", "svm"))
        assert in_use(tmp_path) == "svm"
        configuration.write_text(f"{text}adoption = false\n")
        assert in_use(tmp_path) == "forest:1"


def in_use(folder: Path) -> str:
    """The model that the policy in force asks."""
    configured = load(folder / "windjammer.toml").applications["digits"]
    with closing(open_log(f"sqlite:///{folder}/windjammer.db")) as log:
        policy = in_force(configured, log).policy
    assert isinstance(policy, Static)
    return policy.model


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
        (["--policy", "exp3", "--grid", "learning_rate"], "--grid: expected KEY=VALUE,VALUE,..."),
        (["--policy", "exp3", "--grid", "rate=1,2"], "unknown key 'rate'"),
        (["--compare", "exp3", "--grid", "share=0,1"], "--grid goes with --policy"),
        (["--compare", "exp3", "--set", "share=0"], "--set goes with --policy"),
        (["--policy", "exp3", "--set", "share=0", "--set", "share=1"], "--set, --grid: 'share' is given twice"),
        (["--policy", "exp3", "--set", "share=0", "--grid", "share=0,1"], "--set, --grid: 'share' is given twice"),
        (["--policy", "exp3", "--set", "name=exp4"], "--set, --grid: 'name' is given twice"),
        (["--policy", "exp3", "--yes"], "--yes goes with --promote"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "windjammer.toml").write_text(CONFIG.replace("POLICY", '"exp3"'))
    result = replay(tmp_path, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
