"""Users' learners: bounded, loaded while others answer, never behind the log."""

from __future__ import annotations

from selector.decisions import Answer, Decision, Entry, Event, Feedback, ModelsChanged, Prediction, Query, Selection
from selector.learner import Learner
from selector.losses import ZeroOne
from selector.personalization import Users
from selector.policies import Exp3


def learner() -> Learner:
    fresh = Learner(Exp3(), ZeroOne())
    fresh.fold(Entry(1, "app", None, 0.0, ModelsChanged(("a", "b"))))
    return fresh


def feedback(position: int, user: str | None, right: bool) -> Entry:
    query = Query(position, ("a", "b"), user)
    answer = Answer(1)
    decision = Decision("app", query, 0.0, "exp3", (Selection(("a",), 0.5),), {"a": Prediction(1)}, answer)
    event: Event = Feedback((position,), label=1 if right else 0)
    return Entry(position, "app", user, 0.0, event, (decision,))


def load(users: Users, user: str) -> None:
    assert users.begin_load(user)
    users.end_load(user, learner())


def test_a_users_learner_folds_that_users_entries_alone() -> None:
    users = Users(10)
    load(users, "ann")
    load(users, "bob")
    wrong = feedback(2, "ann", right=False)
    users.fold(wrong)
    ann, bob = users.get("ann"), users.get("bob")
    assert ann is not None
    assert bob is not None
    assert ann.encode() == learner().fold_all([wrong]).encode()
    assert bob.encode() == learner().encode()


def test_feedback_without_a_user_touches_nobody_but_model_changes_reach_all() -> None:
    users = Users(10)
    load(users, "ann")
    users.fold(feedback(2, None, right=False))
    ann = users.get("ann")
    assert ann is not None
    assert ann.encode() == learner().encode()
    users.fold(Entry(3, "app", None, 0.0, ModelsChanged(("a", "b", "c"))))
    assert ann.models == ("a", "b", "c")


def test_what_comes_while_a_user_loads_is_folded_once() -> None:
    users = Users(10)
    assert users.begin_load("ann")
    assert not users.begin_load("ann")
    seen_by_the_load, missed = feedback(2, "ann", right=False), feedback(3, "ann", right=False)
    users.fold(seen_by_the_load)
    users.fold(missed)
    users.end_load("ann", learner().fold_all([seen_by_the_load]))
    ann = users.get("ann")
    assert ann is not None
    assert ann.encode() == learner().fold_all([seen_by_the_load, missed]).encode()


def test_the_user_seen_longest_ago_goes_first() -> None:
    users = Users(2)
    load(users, "ann")
    load(users, "bob")
    users.get("ann")
    load(users, "cid")
    assert users.get("bob") is None
    assert users.get("ann") is not None
    assert len(users) == 2


def test_only_so_many_load_at_once_and_a_failed_load_may_be_tried_again() -> None:
    users = Users(10, loads=1)
    assert users.begin_load("ann")
    assert not users.begin_load("bob")
    users.fail_load("ann")
    assert users.begin_load("bob")
