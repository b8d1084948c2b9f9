"""The command, over SQLite: what a file teaches, once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner, Result

from feedback_store.opening import open_log
from feedback_store.ownership import held_alone
from feedback_store.recovery import restore
from selector.decisions import Entry, Feedback, ModelsChanged, PolicyChanged, Selection
from serving.cli import app
from serving.config import load
from serving.service import fold_key
from serving.warming.teaching import GROUP

CONFIG = """
[models.good]
runtime = "python"
artifact = "noop:Sum"
[models.bad]
runtime = "python"
artifact = "noop:Sum"
cost = 0.1

[applications.digits]
models = ["good", "bad"]
input = {{ datatype = "FP64", shape = [1] }}
policy = "{policy}"
classes = [0, 1, 2]
"""
ROWS = 2 * GROUP + 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration and a file, in which one model is right and the other guesses."""
    (tmp_path / "windjammer.toml").write_text(CONFIG.format(policy="cascade"))
    rng = Random(1)
    rows = [f"{i % 3},{i % 3},{rng.randrange(3)},u{i % 4}" for i in range(ROWS)]
    (tmp_path / "outputs.csv").write_text("\n".join(["label,good,bad,user", *rows, ""]))
    return tmp_path


def warm_up(folder: Path, *more: str, application: str = "digits", file: str = "outputs.csv") -> Result:
    command = ["warm-up", application, str(folder / file), "--config", str(folder / "windjammer.toml"), *more]
    return CliRunner().invoke(app, command)


def entries(folder: Path) -> list[Entry]:
    if not (folder / "windjammer.db").exists():
        return []
    with closing(open_log(f"sqlite:///{folder}/windjammer.db")) as log:
        return [*log.entries("digits")]


def test_examples_are_decisions_of_their_own_with_their_labels(folder: Path) -> None:
    result = warm_up(folder)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, f"{ROWS} examples appended, 0 known already")
    policy, models, *learned = entries(folder)
    assert isinstance(policy.event, PolicyChanged)
    assert models.event == ModelsChanged(("bad:1", "good:1"))
    assert len(learned) == ROWS
    last = learned[-1]
    assert isinstance(last.event, Feedback)
    (decision,) = last.decisions
    assert decision.selections == (Selection(("bad:1", "good:1"), 1.0),)
    assert decision.query.available == ("bad:1", "good:1")
    assert decision.policy == ""
    assert decision.query.user == last.user == f"u{(ROWS - 1) % 4}"
    assert decision.answer.output == last.event.label == (ROWS - 1) % 3, "it has learned by then who is right"
    ids = [entry.decisions[0].query.id for entry in learned]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("policy", ["cascade", "ensemble", "thompson", "exp4", "linucb", "majority_vote", "auto"])
def test_the_next_start_finds_the_fold_of_the_log_whatever_the_policy(policy: str, folder: Path) -> None:
    (folder / "windjammer.toml").write_text(CONFIG.format(policy=policy))
    assert warm_up(folder).exit_code == 0
    fold = load(folder / "windjammer.toml").applications["digits"].fold
    with closing(open_log(f"sqlite:///{folder}/windjammer.db")) as log:
        started = fold.everyone()
        assert restore(log, "digits", None, fold_key(fold), started) == 0, "nothing is left to be folded"
        assert started.encode() == fold.everyone().fold_all(log.entries("digits")).encode()
    assert started.models == ("bad:1", "good:1")


def test_what_examples_cost_is_none_of_what_a_cascade_may_spend(folder: Path) -> None:
    warm_up(folder)
    cascade = load(folder / "windjammer.toml").applications["digits"].fold.everyone()
    state = cascade.fold_all(entries(folder)).state
    assert state.complete == ROWS
    assert (state.ledger.queries, state.ledger.spent) == (0.0, 0.0)


def test_nothing_is_learned_twice(folder: Path) -> None:
    assert "known:" not in warm_up(folder).stdout
    before = entries(folder)
    again = warm_up(folder).stdout
    assert again.startswith(f"0 examples appended, {ROWS} known already")
    assert "from a file named outputs.csv; if they are others, give the file another name" in again
    assert entries(folder) == before
    with (folder / "outputs.csv").open("a") as file:
        file.write("1,1,,\n")
    assert warm_up(folder).stdout.startswith(f"1 example appended, {ROWS} known already")
    assert list(entries(folder)[-1].decisions[0].predictions) == ["good:1"]
    names, *rows = (folder / "outputs.csv").read_text().splitlines()
    (folder / "outputs.csv").write_text("\n".join([names, "2,0,0,", *rows, ""]))
    assert warm_up(folder).stdout.startswith(f"1 example appended, {ROWS + 1} known already")


def test_with_a_mistake_in_the_file_nothing_is_appended(folder: Path) -> None:
    with (folder / "outputs.csv").open("a") as file:
        file.write("9,1,1,\n")
    result = warm_up(folder)
    assert result.exit_code == 2
    assert f"row {ROWS + 1}, column 'label': 9 is not one of the classes 0, 1, 2" in result.stderr
    assert entries(folder) == []


def test_a_file_without_rows_is_refused(folder: Path) -> None:
    (folder / "outputs.csv").write_text("label,good,bad\n")
    result = warm_up(folder)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "outputs.csv has no rows" in result.stderr


def test_it_is_refused_while_a_server_holds_the_log(folder: Path) -> None:
    with held_alone(folder / "windjammer.db-spool"):
        result = warm_up(folder)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "a server runs on this log" in result.stderr
    assert entries(folder) == []


def test_what_was_not_read_is_told(folder: Path) -> None:
    (folder / "outputs.csv").write_text("truth,good,other,\n1,1,1,\n")
    told = warm_up(folder, "--map", "label=truth").stdout
    assert "no column has outputs of bad:1" in told
    assert "not read: other, ''\n" in told
    assert "lists no classes" not in told


def test_with_a_column_misspelt_nothing_is_appended(folder: Path) -> None:
    (folder / "outputs.csv").write_text("label,good,good.scor,bad\n1,1,0.9,0\n")
    result = warm_up(folder)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "column 'good.scor' would not be read; did you mean 'good.score'?" in result.stderr
    assert entries(folder) == []


def test_without_classes_it_is_told_what_labels_were_taken_for(folder: Path) -> None:
    (folder / "windjammer.toml").write_text(CONFIG.format(policy="exp4").replace("classes", "# classes"))
    assert "what is written like a number was taken for one" in warm_up(folder).stdout


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"application": "digit"}, "unknown application 'digit'; did you mean 'digits'?"),
        ({"file": "nowhere.csv"}, "cannot be read: No such file"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(given: dict[str, str], told: str, folder: Path) -> None:
    result = warm_up(folder, **given)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert told in result.stderr
