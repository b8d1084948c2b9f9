"""`windjammer replay --log`: any logged decisions, candidates from files."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner, Result

from selector.replay import LoggedDecisions, evaluate
from serving.cli import app
from serving.replaying import tables
from serving.replaying.results import SEGMENTS

ITEMS = ("3", "7", "11")
MAP = "action=item,reward=click,probability=pscore"


class Files:
    """A log of clicks on three items at two positions, and candidates for it."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(1)
        n = 400
        self.folder = folder
        self.item = rng.choice(3, n, p=[0.5, 0.3, 0.2])
        self.position = rng.integers(1, 3, n)
        self.click = (rng.random(n) < np.array([0.2, 0.4, 0.6])[self.item]).astype(int)
        self.pscore = np.array([0.5, 0.3, 0.2])[self.item]
        self.chances = {1: [0.2, 0.3, 0.5], 2: [0.1, 0.8, 0.1]}
        rows = zip(self.item, self.position, self.click, self.pscore, strict=True)
        lines = [
            f"{ITEMS[i]},{p},{c},{s},u{j % 50},2019-11-24 00:{j // 60:02}:{j % 60:02}.5"
            for j, (i, p, c, s) in enumerate(rows)
        ]
        self.log = self.write("log.csv", "item,position,click,pscore,who,timestamp", *lines)
        table = [f"{ITEMS[i]},{p},{row[i]}" for p, row in self.chances.items() for i in range(3)]
        self.candidate = self.write("new.csv", "item,position,prob", *table)

    def write(self, name: str, *lines: str) -> Path:
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return path

    @property
    def matrix(self) -> Any:
        return np.array([self.chances[p] for p in self.position])


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def replay(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


def rows(*arguments: object) -> list[dict[str, Any]]:
    result = replay(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)["rows"]
    return found


def value(found: list[dict[str, Any]], estimator: str) -> float:
    return next(float(row["value"]) for row in found if row["estimator"] == estimator)


def test_a_candidate_is_joined_by_all_its_other_columns(files: Files) -> None:
    found = rows("--log", files.log, "--map", MAP, "--candidate", f"new={files.candidate}")
    weights = files.matrix[np.arange(400), files.item] / files.pscore
    assert value(found, "ips") == pytest.approx((weights * files.click).mean())
    assert value(found, "snips") == pytest.approx((weights * files.click).sum() / weights.sum())
    assert found[0]["effective_sample_size"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_says_what_the_python_api_says(files: Files) -> None:
    found = rows(
        "--log", files.log, "--map", f"{MAP},context=position,user=who", "--candidate", f"new={files.candidate}"
    )
    contexts, users = {"position": files.position - 1}, np.arange(400) % 50
    log = LoggedDecisions(files.item, files.click, files.pscore, contexts, users)
    expected = {row.estimator: row for row in evaluate(log, {"new": files.matrix})}
    for row in found:
        assert row["value"] == pytest.approx(expected[row["estimator"]].value), row["estimator"]
        assert row["low"] == pytest.approx(expected[row["estimator"]].low), row["estimator"]


def test_a_column_for_each_action_will_do_row_by_row_joined_or_for_all(files: Files) -> None:
    head = ",".join(ITEMS)
    aligned = files.write("aligned.csv", head, *(",".join(map(str, row)) for row in files.matrix))
    joined = files.write("joined.csv", f"position,{head}", "1,0.2,0.3,0.5", "2,0.1,0.8,0.1")
    found = rows("--log", files.log, "--map", MAP, "--candidate", f"a={aligned}", "--candidate", f"j={joined}")
    assert {row["candidate"] for row in found} == {"a", "j"}
    by_candidate = [[row["value"] for row in found if row["candidate"] == name] for name in "aj"]
    assert by_candidate[0] == by_candidate[1]
    same = files.write("same.csv", head, "1,0,0")
    found = rows("--log", files.log, "--map", MAP, "--candidate", f"first={same}")
    assert value(found, "snips") == pytest.approx(files.click[files.item == 0].mean())


def test_compressed_files_and_parquet_are_read_alike(files: Files) -> None:
    packed = files.folder / "log.csv.gz"
    packed.write_bytes(gzip.compress(files.log.read_bytes()))
    columns = {"item": [int(ITEMS[i]) for i in files.item], "position": files.position, "click": files.click}
    arrow = files.folder / "log.parquet"
    parquet.write_table(pa.table({**columns, "pscore": files.pscore}), arrow)
    arguments = ("--map", MAP, "--candidate", f"new={files.candidate}", "--estimator", "dr")
    assert rows("--log", packed, *arguments) == rows("--log", arrow, *arguments) == rows("--log", files.log, *arguments)


def test_chunks_change_nothing(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--log", files.log, "--map", f"{MAP},context=position,user=who,time=timestamp")
    whole = rows(*arguments, "--candidate", f"new={files.candidate}")
    monkeypatch.setattr(tables, "CHUNK", 7)
    monkeypatch.setattr(tables.chunks, "__defaults__", (7, None))
    assert rows(*arguments, "--candidate", f"new={files.candidate}") == whole


def test_numbers_join_however_they_are_written(files: Files) -> None:
    rows_of_file = [f"{float(ITEMS[i])},{p}.0,{row[i]:.3e}" for p, row in files.chances.items() for i in range(3)]
    again = files.write("again.csv", "item,position,prob", *rows_of_file)
    arguments = ("--log", files.log, "--map", MAP, "--estimator", "ips")
    assert value(rows(*arguments, "--candidate", f"new={again}"), "ips") == pytest.approx(
        value(rows(*arguments, "--candidate", f"new={files.candidate}"), "ips")
    )


def test_of_many_categories_those_seen_most_often_are_told_apart(files: Files) -> None:
    """The reward is known by the category; the first hundred rows have each one of their own."""
    kinds = [f"k{i}" for i in range(100)] + ["good" if i % 2 else "bad" for i in range(900)]
    lines = [f"{3 if i % 4 < 2 else 7},{int(kind == 'good')},0.5,{kind}" for i, kind in enumerate(kinds)]
    log = files.write("kinds.csv", "item,click,pscore,kind", *lines)
    arguments = ("--log", log, "--candidate", f"one={files.write('one.csv', 'item,prob', '3,1')}", "--estimator", "dr")
    known, unknown = (rows(*arguments, "--map", f"{MAP}{context}")[0] for context in (",context=kind", ""))
    assert known["standard_error"] < 0.75 * unknown["standard_error"]


def test_segments_are_evaluated_apart(files: Files) -> None:
    result = replay(
        "--log", files.log, "--map", MAP, "--candidate", f"new={files.candidate}", "--by", "position", "--json"
    )
    segments = json.loads(result.stdout)["segments"]
    assert set(segments) == {"1", "2"}
    first = files.position == 1
    weights = np.array(files.chances[1])[files.item[first]] / files.pscore[first]
    assert value(segments["1"]["rows"], "ips") == pytest.approx((weights * files.click[first]).mean())


def test_the_largest_segments_are_shown_with_how_many_more_there_are(files: Files) -> None:
    arguments = ("--log", files.log, "--map", MAP, "--candidate", f"new={files.candidate}", "--estimator", "ips")
    result = replay(*arguments, "--by", "who")
    assert result.stdout.count("8 decisions") == SEGMENTS
    assert f"and {50 - SEGMENTS} smaller segments" in result.stdout


def test_policies_are_replayed_on_files_too(files: Files) -> None:
    """One that learns by rejection sampling, one that does not as if it were a file."""
    arguments = ("--policy", "static", "--set", "model=7", "--compare", "exp3", "--estimator", "snips")
    found = rows("--log", files.log, "--map", MAP, *arguments)
    assert [(row["candidate"], row["evaluated"]) for row in found] == [
        ("static model=7", "stationary"),
        ("exp3", "learning"),
    ]
    assert found[0]["value"] == pytest.approx(files.click[files.item == 1].mean())
    assert 0 < found[1]["decisions"] < 400


@pytest.mark.parametrize("policy", ["exp3", "majority_vote"])
def test_a_file_and_a_policy_are_not_called_alike(files: Files, policy: str) -> None:
    candidate = ("--candidate", f"{policy}={files.candidate}")
    result = replay("--log", files.log, "--map", MAP, *candidate, "--policy", policy)
    assert result.exit_code == 2
    assert f"--candidate: {policy!r} is also the name of a policy" in result.stderr


def test_the_table_names_everything_and_warns_once(files: Files) -> None:
    result = replay("--log", files.log, "--map", MAP, "--candidate", f"new={files.candidate}")
    assert result.exit_code == 0
    for word in ("400 decisions", "new", "blend", "snips", "(logged)", "seed 0"):
        assert word in result.stdout
    assert result.stdout.count("the log is not uniform") == 1


def test_the_report_is_one_page_that_needs_nothing_else(files: Files) -> None:
    page = files.folder / "out.html"
    arguments = ("--log", files.log, "--map", f"{MAP},context=position", "--candidate", f"new={files.candidate}")
    assert replay(*arguments, "--seed", 3, "--report", page).exit_code == 0
    text = page.read_text()
    assert text.count("<svg") == 5
    assert '"seed": 3' in text.replace("&quot;", '"')
    assert not re.search(r"""(src|href)=["'](?!#)""", text)
    first = text
    replay(*arguments, "--seed", 3, "--report", page)
    assert page.read_text() == first


@pytest.mark.parametrize(
    ("cell", "first"),
    [
        ("2026-01-0{}T00:00:00Z", "2026-01-01T00:00:00+00:00"),
        ("2026-01-0{} 00:00:00.25", "2026-01-01T00:00:00+00:00"),
        ("2026-01-0{}T00:00:00-02:00", "2026-01-01T02:00:00+00:00"),
        ("{}", "1970-01-01T00:00:01+00:00"),
        ("{}e17", "1e+17"),
    ],
)
def test_settings_tell_which_part_of_time_and_how_it_was_cut(files: Files, cell: str, first: str) -> None:
    rows_of_log = [f"3,{i % 2},0.5,{cell.format(1 + i % 9)}" for i in range(40)]
    log = files.write("timed.csv", "item,click,pscore,at", *rows_of_log)
    one = files.write("one.csv", "item,prob", "3,1")
    arguments = ("--log", log, "--map", f"{MAP},time=at", "--candidate", f"one={one}", "--by", "click")
    settings = json.loads(replay(*arguments, "--json").stdout)["settings"]
    assert (settings["first"], settings["by"]) == (first, "click")
    shown = replay(*arguments).stdout
    assert f"{first} to " in shown
    assert "click 1: 20 decisions" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--log", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["--map", "action=itme,reward=click,probability=pscore"], "unknown column 'itme'; did you mean 'item'?"),
        (
            ["--map", "action=item,reward=who,probability=pscore"],
            "column 'who': expected a number in row 1, found 'u0'",
        ),
        (["--map", "action"], "--map: expected ROLE=COLUMN, found 'action'"),
        (["--map", "acton=item"], "--map: unknown role 'acton'; did you mean 'action'?"),
        (["--candidate", "new"], "--candidate: expected NAME=FILE, found 'new'"),
        (["--candidate", "new=nowhere.csv"], "no file nowhere.csv"),
        (["--candidate", "new=FOLDER/strange.csv"], "unknown column 'colour'"),
        (["--candidate", "new=FOLDER/short.csv"], "sum to one; those of row 1 sum to 0.8"),
        (["--candidate", "new=FOLDER/partial.csv"], "says nothing of position 2, which the log has"),
        (["--candidate", "new=FOLDER/lengths.csv"], "has 2 rows and no column of the log; the log has 400 rows"),
        (["--candidate", "new=FOLDER/ragged.csv"], "row 1 has 3 cells, the first row names 2"),
        (["--log", "FOLDER/empty.csv"], "has no decisions"),
        (["--log", "FOLDER/nothing.csv"], "is empty: expected a row of column names"),
        (["--log", "FOLDER/nan.csv"], "a reward must be a finite number; row 2 has nan"),
        (["--log", "FOLDER/zero.csv"], "must be above 0 and at most 1; row 1 has 0.0"),
        (["--log", "FOLDER/text.parquet"], "is not a Parquet file"),
        (["--estimator", "isp"], "--estimator: unknown estimator 'isp'; did you mean"),
        (["--seed", "-1"], "--seed: expected a number that is at least 0, found -1"),
        (["--app", "digits"], "expected --log FILE or --app NAME, found both"),
        (["--map", f"{MAP},action=click"], "--map: 'action' is given twice"),
        (["--candidate", "new=FOLDER/negative.csv"], "at least 0 and sum to one; one of row 1 is -0.5"),
        (["--confidence", "95"], "--confidence: expected a number between 0 and 1, found 95"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(files: Files, arguments: list[str], said: str) -> None:
    head = "item,position,click,pscore"
    files.write("strange.csv", "item,colour,prob", "3,red,1")
    files.write("short.csv", "item,prob", "3,0.5", "7,0.3")
    files.write("negative.csv", "item,prob", "3,-0.5", "7,1.5")
    files.write("partial.csv", "item,position,prob", "3,1,1")
    files.write("lengths.csv", "3,7,11", "1,0,0", "1,0,0")
    files.write("ragged.csv", "item,prob", "3,1,7")
    files.write("empty.csv", head)
    (files.folder / "nothing.csv").write_text("")
    files.write("nan.csv", head, "3,1,0,0.5", "3,2,nan,0.5")
    files.write("zero.csv", head, "3,1,0,0", "3,2,1,0.5")
    files.write("text.parquet", head)
    given = {"--log": str(files.log), "--map": MAP, "--candidate": f"new={files.candidate}"}
    given |= {arguments[0]: arguments[1].replace("FOLDER", str(files.folder))}
    result = replay(*[word for pair in given.items() for word in pair])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_nothing_asked_is_explained() -> None:
    result = replay()
    assert result.exit_code == 2
    assert "expected --log FILE, or --app NAME" in result.stderr
