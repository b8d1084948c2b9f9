"""The contract of `Log`, kept by every kind."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from feedback_store.contract import (
    Applied,
    Conflict,
    Duplicate,
    Log,
    Snapshot,
    StoreUnavailable,
    UnknownQuery,
)
from selector.decisions import Entry, Feedback, ModelsChanged, PolicyChanged, Prediction
from tests.feedback_store.samples import a_decision, a_label, a_row, an_event


def positions(log: Log, application: str = "digits", after: int = 0, user: str | None = None) -> list[int]:
    return [entry.position for entry in log.entries(application, after, user)]


class TestDecisions:
    def test_are_found_by_id_within_their_application(self, log: Log) -> None:
        log.commit([a_row(5, user="ann"), a_row(6, "faces")], [])
        assert log.decision("digits", 5) == a_decision(5, user="ann")
        assert log.decision("digits", 6) is None
        assert log.decision("digits", 7) is None

    @pytest.mark.parametrize("query", [-1, 2**63, 2**200])
    def test_of_impossible_ids_do_not_exist(self, log: Log, query: int) -> None:
        assert log.decision("digits", query) is None
        assert log.commit([], [a_label(query)]) == [UnknownQuery(query)]

    def test_may_be_committed_again(self, log: Log) -> None:
        log.commit([a_row(5, client="c")], [])
        log.commit([a_row(4), a_row(5, client="c"), a_row(6)], [])
        assert [log.decision("digits", query) is not None for query in (4, 5, 6)] == [True] * 3
        assert log.query_of("digits", "c") == 5

    def test_keep_the_greatest_id(self, log: Log) -> None:
        assert log.last_query() == 0
        log.commit([a_row(2**63 - 1), a_row(8)], [])
        assert log.last_query() == 2**63 - 1

    def test_come_in_groups_of_any_size(self, log: Log) -> None:
        log.commit([a_row(query) for query in range(1, 1200)], [])
        log.commit([], [a_label(*range(1, 1200))])
        (entry,) = log.entries("digits")
        assert [decision.query.id for decision in entry.decisions] == list(range(1, 1200))


class TestJudgedDecisions:
    def test_are_those_with_feedback_in_the_order_of_their_ids(self, log: Log) -> None:
        log.commit([a_row(query) for query in (3, 1, 2, 4)] + [a_row(5, "faces")], [])
        log.commit([], [a_label(4), a_label(1, 3, label=8), a_label(5, application="faces")])
        found = [(decision.query.id, feedback.label) for decision, feedback in log.judged("digits")]
        assert found == [(1, 8), (3, 8), (4, 7)]

    def test_come_in_any_number(self, log: Log) -> None:
        log.commit([a_row(query) for query in range(1, 1200)], [a_label(query) for query in range(1, 1200)])
        assert [decision.query.id for decision, _ in log.judged("digits")] == list(range(1, 1200))


class TestInputs:
    def test_are_kept_with_the_decisions_that_bring_one(self, log: Log) -> None:
        log.commit([replace(a_row(1), input=b"an image"), a_row(2)], [])
        log.commit([replace(a_row(1), input=b"another")], [])
        assert log.input("digits", 1) == b"an image"
        assert log.input("digits", 2) is None
        assert log.input("letters", 1) is None


class TestClientIds:
    def test_name_a_decision_within_its_application(self, log: Log) -> None:
        log.commit([a_row(1, client="mine"), a_row(2, "faces", client="mine"), a_row(3)], [])
        assert log.query_of("digits", "mine") == 1
        assert log.query_of("faces", "mine") == 2
        assert log.query_of("digits", "other") is None

    def test_stay_with_the_first_and_the_second_decision_is_kept(self, log: Log) -> None:
        log.commit([a_row(1, client="mine"), a_row(2, client="mine")], [])
        log.commit([a_row(3, client="mine"), a_row(4, client="next")], [])
        assert log.query_of("digits", "mine") == 1
        assert log.query_of("digits", "next") == 4
        assert [log.decision("digits", query) for query in (2, 3)] == [a_decision(2), a_decision(3)]


class TestEvents:
    def test_get_positions_in_order_over_all_applications(self, log: Log) -> None:
        assert log.head() == 0
        log.commit([a_row(1), a_row(2, "faces")], [a_label(1), an_event(ModelsChanged(("svm:1",)), "faces")])
        log.commit([], [a_label(2, application="faces")])
        assert positions(log) == [1]
        assert positions(log, "faces") == [2, 3]
        assert log.head() == 3

    def test_come_back_as_they_were_with_their_decision(self, log: Log) -> None:
        event = Feedback((1,), label="seven", joined={"cnn:1": Prediction("one", 0.25, (("one", 0.25),), 3.0)})
        (applied,) = log.commit([a_row(1, user="ann")], [an_event(event, user="ann", at=1.7e9 + 0.123456)])
        entry = Entry(1, "digits", "ann", 1.7e9 + 0.123456, event, (a_decision(1, user="ann"),))
        assert applied == Applied(entry)
        assert list(log.entries("digits")) == [entry]

    def test_of_the_application_need_no_decision(self, log: Log) -> None:
        log.commit([], [an_event(PolicyChanged("{}")), an_event(ModelsChanged(("a", "b")))])
        assert [entry.event for entry in log.entries("digits")] == [PolicyChanged("{}"), ModelsChanged(("a", "b"))]

    def test_the_last_change_of_policy_is_found(self, log: Log) -> None:
        assert log.announcement("digits") is None
        changes = [PolicyChanged("{}"), PolicyChanged("[]", instead_of="{}", evidence="it is better")]
        log.commit([a_row(1)], [*map(an_event, changes), an_event(PolicyChanged("0"), "faces"), a_label(1)])
        assert log.announcement("digits") == Entry(2, "digits", None, 1.0, changes[1])

    def test_about_an_unknown_query_are_refused(self, log: Log) -> None:
        outcomes = log.commit([a_row(1), a_row(2, "faces")], [a_label(9), a_label(2), a_label(1, 9), a_label(1)])
        assert outcomes[:3] == [UnknownQuery(9), UnknownQuery(2), UnknownQuery(9)]
        assert isinstance(outcomes[3], Applied)
        assert log.head() == 1

    def test_are_read_after_a_position_and_over_many_pages(self, log: Log) -> None:
        log.commit([a_row(q) for q in range(1, 1101)], [a_label(q) for q in range(1, 1101)])
        assert positions(log) == list(range(1, 1101))
        assert positions(log, after=1098) == [1099, 1100]
        assert positions(log, after=1100) == []


class TestFeedback:
    def test_given_again_is_a_duplicate(self, log: Log) -> None:
        log.commit([a_row(1)], [a_label(1)])
        late = Feedback((1,), label=7, joined={"cnn:1": Prediction(3)})
        assert log.commit([], [a_label(1), an_event(late)]) == [Duplicate(1), Duplicate(1)]
        assert log.head() == 1

    def test_that_contradicts_is_a_conflict(self, log: Log) -> None:
        log.commit([a_row(1)], [a_label(1)])
        reward = an_event(Feedback((1,), reward=1.0))
        assert log.commit([], [a_label(1, label=8), reward]) == [Conflict(1, Feedback((1,), label=7))] * 2
        assert log.head() == 1

    def test_joins_once_within_one_call(self, log: Log) -> None:
        first, again, other, next_ = log.commit(
            [a_row(1), a_row(2)], [a_label(1), a_label(1), a_label(1, label=8), a_label(2)]
        )
        assert isinstance(first, Applied)
        assert again == Duplicate(1)
        assert other == Conflict(1, Feedback((1,), label=7))
        assert isinstance(next_, Applied)
        assert next_.entry.position == 2

    def test_about_an_episode_joins_each_of_its_decisions(self, log: Log) -> None:
        episode = an_event(Feedback((3, 1, 2), reward=0.5))
        (applied,) = log.commit([a_row(1), a_row(2), a_row(3)], [episode])
        assert isinstance(applied, Applied)
        assert applied.entry.decisions == (a_decision(3), a_decision(1), a_decision(2))
        assert list(log.entries("digits")) == [applied.entry]
        assert log.commit([], [episode]) == [Duplicate(1)]
        assert log.commit([], [a_label(2)]) == [Conflict(1, Feedback((3, 1, 2), reward=0.5))]

    def test_about_an_episode_does_not_join_a_part_of_it(self, log: Log) -> None:
        log.commit([a_row(1), a_row(2)], [a_label(1)])
        assert log.commit([], [a_label(2, 1)]) == [Conflict(1, Feedback((1,), label=7))]
        assert isinstance(log.commit([], [a_label(2)])[0], Applied)

    def test_may_name_a_decision_twice(self, log: Log) -> None:
        (applied,) = log.commit([a_row(1)], [a_label(1, 1)])
        assert isinstance(applied, Applied)
        assert list(log.entries("digits")) == [applied.entry]


class TestUsers:
    def test_read_their_own_feedback_and_what_is_about_the_application(self, log: Log) -> None:
        users = {1: "ann", 2: "bob", 3: None, 4: "ann"}
        events = [a_label(query, user=user) for query, user in users.items()]
        log.commit(
            [a_row(query, user=user) for query, user in users.items()],
            [an_event(ModelsChanged(("svm:1",))), *events, an_event(PolicyChanged("{}"))],
        )
        assert positions(log, user="ann") == [1, 2, 5, 6]
        assert positions(log, user="bob") == [1, 3, 6]
        assert positions(log, user="nobody") == [1, 6]
        assert positions(log, user="ann", after=2) == [5, 6]

    def test_read_over_many_pages(self, log: Log) -> None:
        rows = [a_row(q, user=("ann", "bob")[q % 2]) for q in range(1, 1201)]
        changes = [an_event(ModelsChanged((f"svm:{n}",))) for n in range(600)]
        log.commit(
            rows,
            [
                event
                for n, q in enumerate(range(1, 1201, 2))
                for event in (changes[n], a_label(q, user="bob"), a_label(q + 1, user="ann"))
            ],
        )
        assert positions(log, user="bob") == [p for p in range(1, 1801) if p % 3]


class TestSnapshots:
    def test_are_kept_for_each_fold(self, log: Log) -> None:
        folds = [(None, "exp3"), ("", "exp3"), ("ann", "exp3"), ("ann", "exp4")]
        log.save([Snapshot("digits", user, policy, 4, repr((user, policy)).encode()) for user, policy in folds])
        for user, policy in folds:
            assert log.snapshot("digits", user, policy) == Snapshot(
                "digits", user, policy, 4, repr((user, policy)).encode()
            )
        assert log.snapshot("faces", None, "exp3") is None
        assert log.snapshot("digits", "bob", "exp3") is None

    def test_never_go_back(self, log: Log) -> None:
        for position, data in [(4, b"four"), (3, b"three"), (4, b"again"), (6, b"six"), (5, b"five")]:
            log.save([Snapshot("digits", "ann", "exp3", position, data)])
        assert log.snapshot("digits", "ann", "exp3") == Snapshot("digits", "ann", "exp3", 6, b"six")
        log.save([])


class TestText:
    @pytest.mark.parametrize("text", ["", "'; DROP TABLE decisions; --", "жук 🪲", "%s ? :x", "a" * 5000])
    def test_of_any_kind_is_kept(self, log: Log, text: str) -> None:
        log.commit([a_row(1, text, text, text)], [a_label(1, application=text, user=text, label=text)])
        assert log.query_of(text, text) == 1
        (entry,) = log.entries(text, user=text)
        assert (entry.application, entry.user, entry.decisions) == (text, text, (a_decision(1, text, text),))


def test_a_closed_log_says_so(log: Log) -> None:
    log.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        log.commit([a_row(1)], [])
    with pytest.raises(StoreUnavailable, match="closed"):
        log.head()
