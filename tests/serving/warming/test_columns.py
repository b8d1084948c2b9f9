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
    found = find(None, ["label", "cnn:2", "cnn:2.score", "cnn:2.cost"], MODELS)
    assert found.outputs == {"cnn:2": "cnn:2"}
    assert (found.scores, found.costs) == ({"cnn:2": "cnn:2.score"}, {"cnn:2": "cnn:2.cost"})


def test_what_is_mapped_goes_before_what_is_named() -> None:
    names = ["label", "truth", "svm", "said", "sure", "who", "age", "day"]
    found = find("label=truth, svm=said,svm.score=sure,user=who,context=age,context=day", names, MODELS)
    assert found == Columns("truth", {"svm:1": "said"}, {"svm:1": "sure"}, {}, "who", ("age", "day"))


@pytest.mark.parametrize(
    ("text", "names", "told"),
    [
        (None, ["lable", "svm"], "unknown column 'label'; did you mean 'lable'"),
        (None, ["label", "smv"], "expected at least one of svm, cnn, found 'label', 'smv'"),
        ("label=trut", ["truth", "svm"], "unknown column 'trut'; did you mean 'truth'"),
        ("smv=a", ["label", "a"], "unknown role 'smv'; did you mean 'svm'"),
        ("label", ["label", "svm"], "expected ROLE=COLUMN, found 'label'"),
        (None, ["label", "svm", "svm.scor"], "'svm.scor' would not be read; did you mean 'svm.score'"),
        (None, ["label", "svm", "svm.score", "svm_cost"], "'svm_cost' would not be read; did you mean 'svm.cost'"),
        (None, ["label", "svm", "SVM.Score"], "did you mean 'svm.score'"),
        (None, ["label", "svm", "smv.score"], "did you mean 'svm.score'"),
        (None, ["label", "svm", "cnn:2", "cnn:2.scores"], "did you mean 'cnn:2.score'"),
        (None, ["label", "svm", "ncn"], "did you mean 'cnn'"),
        (None, ["label", "svm", "User"], "did you mean 'user'.* or give --map user=User"),
        ("svm=said", ["label", "said", "svm.scor"], "did you mean 'svm.score'"),
    ],
)
def test_a_mistake_is_told_with_the_nearest_name(text: str | None, names: list[str], told: str) -> None:
    with pytest.raises(InvalidLog, match=told):
        find(text, names, MODELS)


@pytest.mark.parametrize("names", [["label", "svm", *twice, *twice] for twice in (["user"], ["svm.score"], ["cnn"])])
def test_a_column_that_is_read_is_there_once(names: list[str]) -> None:
    with pytest.raises(InvalidLog, match=f"column {names[-1]!r} is there more than once"):
        find(None, names, MODELS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("label=label,label=svm", "'label' is given twice"),
        ("svm=a,svm:1=b", "'svm:1' is given twice"),
        ("svm:1.score=a,svm.score=b", "'svm:1.score' is given twice"),
        ("svm=cnn", "column 'cnn' would be read as 'svm:1' and as 'cnn:2'"),
        ("svm=label", "column 'label' would be read as 'label' and as 'svm:1'"),
        ("svm.cost=label", "column 'label' would be read as 'label' and as 'svm:1.cost'"),
        ("context=label", "column 'label' would be read as 'label' and as 'context'"),
        ("user=svm", "column 'svm' would be read as 'svm:1' and as 'user'"),
        ("svm.score=a,cnn.score=a", "column 'a' would be read as 'svm:1.score' and as 'cnn:2.score'"),
        ("svm.score=a,svm.cost=a", "column 'a' would be read as 'svm:1.score' and as 'svm:1.cost'"),
        ("svm.score=a,user=a", "column 'a' would be read as 'svm:1.score' and as 'user'"),
    ],
)
def test_a_role_has_one_column_and_that_of_truth_outputs_or_scores_no_other_role(text: str, told: str) -> None:
    with pytest.raises(InvalidLog, match=told):
        find(text, ["label", "svm", "cnn", "a", "b"], MODELS)


def test_what_is_mapped_is_read() -> None:
    with pytest.raises(InvalidLog, match=r"--map cnn:2\.score=sure: no column has the outputs of 'cnn:2'"):
        find("cnn.score=sure", ["label", "svm", "sure"], MODELS)


def test_what_is_mapped_to_a_model_with_its_version_goes_before_what_is_named_without() -> None:
    found = find("svm:1=said,svm:1.score=sure", ["label", "svm", "svm.score", "said", "sure"], MODELS)
    assert (found.outputs, found.scores) == ({"svm:1": "said"}, {"svm:1": "sure"})


@pytest.mark.parametrize("names", [["svm", "svm:1"], ["svm:1", "svm"], ["svm", "svm:1.score", "svm.score"]])
def test_of_two_columns_named_like_one_role_it_must_be_told_which_is_meant(names: list[str]) -> None:
    with pytest.raises(InvalidLog, match="are both named like 'svm:1"):
        find(None, ["label", *names], MODELS)
    role = names[-1] if "." in names[-1] else "svm"
    assert names[1] in find(f"{role}={names[1]}", ["label", *names], MODELS).all


def test_a_model_may_be_called_like_another_role() -> None:
    found = find("label:1=said", ["label", "user", "said"], {"label": "label:1", "user": "user:1"})
    assert found == Columns("label", {"label:1": "said"}, {}, {}, "user", ())


@pytest.mark.parametrize(
    "names",
    [
        ["svm", "id", "query", "svm.latency", "used", "answer"],
        ["svm", "svm2", "svm2.score", "cnn:1", "cnn:1.cost"],
        ["svm", "svm.score", "svm.scores", "swm", "cnn.score"],
    ],
)
def test_columns_of_other_things_are_left_alone(names: list[str]) -> None:
    """Other models' among them, and what resembles a role that has its column."""
    assert find(None, ["label", *names], MODELS).outputs == {"svm:1": "svm"}


def test_the_user_and_a_score_may_be_contexts_and_models_may_have_one_cost() -> None:
    names = ["label", "svm", "svm.score", "cnn", "user", "price"]
    found = find("context=user,context=svm.score,svm.cost=price,cnn.cost=price", names, MODELS)
    assert (found.user, found.contexts) == ("user", ("user", "svm.score"))
    assert found.scores == {"svm:1": "svm.score"}
    assert found.costs == {"svm:1": "price", "cnn:2": "price"}


def test_a_column_that_resembles_a_role_may_be_told_to_be_something_else() -> None:
    assert find("context=User", ["label", "svm", "User"], MODELS).contexts == ("User",)


def test_of_two_columns_named_like_one_role_one_may_be_told_to_be_something_else() -> None:
    assert find("context=svm:1", ["label", "svm", "svm:1"], MODELS).outputs == {"svm:1": "svm"}


@pytest.mark.parametrize("text", [None, "label=label,svm.score=svm.score"])
def test_spaces_about_the_name_of_a_column_do_not_matter(text: str | None) -> None:
    assert find(text, ["label", " svm", " svm.score"], MODELS).all == ("label", " svm", " svm.score")


def test_what_is_mapped_is_the_column_of_that_very_name_if_there_is_one() -> None:
    assert find("svm=svm", ["label", " svm", "svm"], MODELS).outputs == {"svm:1": "svm"}


ALIKE = {"svm": "svm:1", "svm.score": "svm.score:1"}


def test_a_column_that_could_be_of_two_models_is_refused() -> None:
    with pytest.raises(InvalidLog, match=r"column 'svm\.score' could be 'svm\.score:1' or 'svm:1\.score': rename it"):
        find(None, ["label", "svm", "svm.score"], ALIKE)


def test_models_whose_names_could_be_taken_for_each_other_are_told_apart_by_their_keys() -> None:
    found = find(None, ["label", "svm", "svm:1.score", "svm.score:1"], ALIKE)
    assert found.outputs == {"svm:1": "svm", "svm.score:1": "svm.score:1"}
    assert found.scores == {"svm:1": "svm:1.score"}


def test_a_mistake_in_a_role_is_told_with_each_role_once() -> None:
    with pytest.raises(InvalidLog) as caught:
        find("forest=a", ["label", "svm", "a"], MODELS)
    assert str(caught.value).count("svm.score") == 1


def test_where_a_model_is_called_like_another_role_its_column_is_asked_for_by_its_key() -> None:
    with pytest.raises(InvalidLog, match="expected at least one of cnn, user:1, found"):
        find(None, ["label", "user"], {"cnn": "cnn:2", "user": "user:1"})
