"""Which column is what, by its name or by --map."""

from __future__ import annotations

import pytest

from selector.replay import InvalidLog
from serving.warming.columns import Columns, find

MODELS = {"svm": "svm:1", "cnn": "cnn:2"}


def test_columns_are_found_by_their_names() -> None:
    names = ["id", "label", "user", "svm", "cnn", "svm.score", "cnn.cost"]
    found = find(None, names, MODELS)
    outputs = {"svm:1": "svm", "cnn:2": "cnn"}
    assert found == Columns("label", outputs, {"svm:1": "svm.score"}, {"cnn:2": "cnn.cost"}, "user", ())


def test_a_model_may_be_named_with_its_version() -> None:
    assert find(None, ["label", "cnn:2"], MODELS).outputs == {"cnn:2": "cnn:2"}


def test_what_is_mapped_goes_before_what_is_named() -> None:
    names = ["label", "truth", "svm", "said", "sure", "who", "age", "day"]
    found = find("label=truth, svm=said,svm.score=sure,user=who,context=age,context=day", names, MODELS)
    assert found == Columns("truth", {"svm:1": "said"}, {"svm:1": "sure"}, {}, "who", ("age", "day"))


@pytest.mark.parametrize(
    ("text", "names", "told"),
    [
        (None, ["lable", "svm"], "unknown column 'label'; did you mean 'lable'"),
        (None, ["label", "smv"], "expected at least one of svm, cnn, found label, smv"),
        ("label=trut", ["truth", "svm"], "unknown column 'trut'; did you mean 'truth'"),
        ("smv=a", ["label", "a"], "unknown role 'smv'; did you mean 'svm'"),
        ("label", ["label", "svm"], "expected ROLE=COLUMN, found 'label'"),
    ],
)
def test_a_mistake_is_told_with_the_nearest_name(text: str | None, names: list[str], told: str) -> None:
    with pytest.raises(InvalidLog, match=told):
        find(text, names, MODELS)
