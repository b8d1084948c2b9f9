"""Files of labelled outputs, read row by row."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from selector.decisions import Label, Prediction
from selector.losses import Absolute, ZeroOne
from selector.replay import InvalidLog
from serving.replaying.tables import columns_of
from serving.vocabulary import vocabulary_of
from serving.warming.columns import find
from serving.warming.examples import Example, Examples

DIGITS = (3, 7)


MODELS = {"svm": "svm:1", "cnn": "cnn:2"}


def examples(
    folder: Path, text: str, classes: tuple[Label, ...] | None = DIGITS, mapping: str | None = None
) -> list[Example]:
    """What is read from a file of this text, where the application has the models svm and cnn."""
    path = folder / "outputs.csv"
    path.write_text(text)
    return read(path, classes, mapping)


def read(path: Path, classes: tuple[Label, ...] | None = DIGITS, mapping: str | None = None) -> list[Example]:
    columns = find(mapping, columns_of(path), MODELS)
    return [*Examples(path, columns, vocabulary_of("classification", classes), ZeroOne()).read(lambda _: None)]


def test_a_row_is_an_example(tmp_path: Path) -> None:
    (example,) = examples(
        tmp_path, "svm,cnn,label,svm.score,cnn.cost,user,age\n3,7,7,0.25,4,ann,30\n", mapping="context=age"
    )
    predictions = {"svm:1": Prediction(3, 0.25), "cnn:2": Prediction(7, cost=4.0)}
    assert example == Example("outputs.csv", 0, 7, predictions, "ann", {"age": 30})


def test_a_context_is_called_by_the_name_of_its_column_without_spaces(tmp_path: Path) -> None:
    (example,) = examples(tmp_path, "label, svm, age\n7, 3, 30\n", mapping="context=age")
    assert (example.predictions, example.features) == ({"svm:1": Prediction(3)}, {"age": 30})


def test_a_row_is_known_again_by_its_content_and_how_many_stand_above_it(tmp_path: Path) -> None:
    first, second, third, fourth = examples(tmp_path, "svm,label\n3,7\n3,7\n3,3\n3,7\n")
    assert len({each.client for each in (first, second, third, fourth)}) == 4
    inserted = examples(tmp_path, "svm,label\n3,7\n7,7\n3,7\n3,3\n3,7\n")
    assert [each.client for each in inserted if each != inserted[1]] == [
        each.client for each in (first, second, third, fourth)
    ]


def test_equal_rows_of_a_file_of_another_name_are_other_examples(tmp_path: Path) -> None:
    (example,) = examples(tmp_path, "svm,label\n3,7\n")
    (tmp_path / "outputs.csv").rename(tmp_path / "more.csv")
    (other,) = read(tmp_path / "more.csv")
    assert example.client != other.client


def test_an_empty_cell_is_a_model_that_said_nothing(tmp_path: Path) -> None:
    first, second = examples(tmp_path, "svm,cnn,label,user,svm.score\n3,,3,,.5\n,7,3,7,\n")
    assert (list(first.predictions), first.user) == (["svm:1"], None)
    assert (list(second.predictions), second.user) == (["cnn:2"], "7")


def test_labels_are_taken_for_the_classes_that_they_are_written_like(tmp_path: Path) -> None:
    text = "svm,label\n3.0, 7 \n"
    assert [(e.label, e.predictions["svm:1"].output) for e in examples(tmp_path, text)] == [(7, 3)]
    texts = examples(tmp_path, "svm,label\n3,07\n", ("3", "07"))
    assert [(e.label, e.predictions["svm:1"].output) for e in texts] == [("07", "3")]
    free = examples(tmp_path, "svm,label\n3.0,ham\n", None)
    assert [(e.label, e.predictions["svm:1"].output) for e in free] == [("ham", 3)]


def test_numbers_are_estimated_numbers(tmp_path: Path) -> None:
    path = tmp_path / "outputs.csv"
    path.write_text("label,svm\n1.5,2\n")
    columns = find(None, ["label", "svm"], {"svm": "svm:1"})
    (example,) = Examples(path, columns, vocabulary_of("regression", None), Absolute()).read(lambda _: None)
    assert (example.label, example.predictions) == (1.5, {"svm:1": Prediction(2.0)})


def test_files_may_be_compressed(tmp_path: Path) -> None:
    path = tmp_path / "outputs.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("svm,label\n3,7\n")
    assert [example.label for example in read(path)] == [7]


def test_progress_is_told_all_along_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "outputs.csv"
    path.write_text("svm,label\n" + "3,7\n" * 20_000)
    shares: list[float] = []
    examples = Examples(path, find(None, ["svm", "label"], MODELS), vocabulary_of("classification", DIGITS), ZeroOne())
    assert [example.copies for example in examples.read(shares.append)] == list(range(20_000))
    assert shares == sorted(shares)
    assert any(0.4 < share < 0.6 for share in shares)
    assert shares[-1] == 1.0


def test_a_column_that_is_read_may_be_there_only_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidLog, match="column 'svm' is there more than once"):
        examples(tmp_path, "label,svm,svm\n3,7,3\n")
    assert len(examples(tmp_path, "label,svm,note,note\n3,7,a,b\n")) == 1


def test_parquet_has_types(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "outputs.parquet"
    table = pyarrow.table({"svm": [3.0, None], "cnn": ["3", "7"], "label": [3, 7]})
    parquet.write_table(table, path)
    assert [example.predictions for example in read(path)] == [
        {"svm:1": Prediction(3), "cnn:2": Prediction(3)},
        {"cnn:2": Prediction(7)},
    ]


def test_a_column_that_is_read_may_be_there_only_once_in_parquet_too(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path, cells = tmp_path / "outputs.parquet", [pyarrow.array([3]) for _ in range(3)]
    parquet.write_table(pyarrow.Table.from_arrays(cells, ["label", "svm", "svm"]), path)
    with pytest.raises(InvalidLog, match="column 'svm' is there more than once"):
        read(path)


def test_an_example_is_known_again_whatever_the_order_of_columns_and_what_else_there_is(tmp_path: Path) -> None:
    first, second = examples(tmp_path, "svm,label\n3,7\n3,7\n")
    again, other = examples(tmp_path, "label,svm,note\n7,3,new\n3,3,\n")
    assert first.client == again.client
    assert len({first.client, second.client, other.client}) == 3


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("3,0.5,8,ann", "row 2, column 'label': 8 is not one of the classes 3, 7"),
        ("8,0.5,7,ann", "row 2, column 'svm': 8 is not one of the classes 3, 7"),
        ("3,0.5,,ann", "row 2, column 'label': expected a label, found an empty cell"),
        (",0.5,7,ann", "row 2: expected the output of at least one model, found none"),
        ("3,1.5,7,ann", "row 2, column 'svm.score': expected a score from 0 to 1, found '1.5'"),
        ("3,high,7,ann", "row 2, column 'svm.score': expected a number of at least 0, found 'high'"),
        (f"3,0.5,7,{'a' * 300}", "row 2, column 'user': expected a user's name"),
    ],
)
def test_a_mistake_is_told_with_its_row_and_column(row: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidLog, match=told):
        examples(tmp_path, f"svm,svm.score,label,user\n3,0.5,7,ann\n{row}\n")
