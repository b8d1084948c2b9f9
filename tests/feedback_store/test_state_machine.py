"""Any sequence of calls on a log gives what a dict would give."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from feedback_store.contract import Applied, Conflict, Duplicate, Log, Pending, Row, Snapshot, UnknownQuery
from selector.decisions import Entry, Feedback, ModelsChanged
from tests.feedback_store.samples import a_decision, a_row, an_event

APPLICATIONS = ("digits", "faces")
USERS = (None, "ann", "bob")

ids = st.integers(1, 12)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """A row; its query id decides all else, but for the client's id, of which there are few."""
    query = draw(ids)
    return a_row(query, APPLICATIONS[query % 2], USERS[query % 3], (None, "x", "y")[query // 2 % 3])


@st.composite
def pendings(draw: st.DrawFn) -> Pending:
    application, user = draw(st.sampled_from(APPLICATIONS)), draw(st.sampled_from(USERS))
    if draw(st.integers(0, 4)) == 0:
        return an_event(ModelsChanged((f"svm:{draw(st.integers(1, 3))}",)), application)
    queries = tuple(draw(st.lists(ids, min_size=1, max_size=2, unique=True)))
    return an_event(Feedback(queries, label=draw(st.integers(7, 8))), application, user)


class LogMachine(RuleBasedStateMachine):
    """The model: what is expected, in plain dicts."""

    new_log: Callable[[], Log]

    def __init__(self) -> None:
        super().__init__()
        self.log = self.new_log()
        self.decisions: dict[int, Row] = {}
        self.clients: dict[tuple[str, str], int] = {}
        self.entries: list[Entry] = []
        self.joined: dict[int, Entry] = {}
        self.snapshots: dict[tuple[str, str | None], Snapshot] = {}
        self.clock = count(1)

    @rule(rows=st.lists(rows(), max_size=4), pending=st.lists(pendings(), max_size=3))
    def commit(self, rows: list[Row], pending: list[Pending]) -> None:
        for row in rows:
            if row.query not in self.decisions:
                self.decisions[row.query] = row
                if row.client is not None:
                    self.clients.setdefault((row.application, row.client), row.query)
        assert self.log.commit(rows, pending) == [self.expect(p) for p in pending]

    def expect(self, p: Pending) -> object:
        decided: tuple[int, ...] = p.event.queries if isinstance(p.event, Feedback) else ()
        for query in decided:
            if query not in self.decisions or self.decisions[query].application != p.application:
                return UnknownQuery(query)
        for query in decided:
            if query in self.joined:
                earlier = self.joined[query]
                assert isinstance(earlier.event, Feedback)
                same = earlier.event == p.event
                return Duplicate(earlier.position) if same else Conflict(earlier.position, earlier.event)
        decisions = tuple(a_decision(q, self.decisions[q].application, self.decisions[q].user) for q in decided)
        entry = Entry(len(self.entries) + 1, p.application, p.user, p.at, p.event, decisions)
        self.entries.append(entry)
        self.joined.update(dict.fromkeys(decided, entry))
        return Applied(entry)

    @rule(application=st.sampled_from(APPLICATIONS), user=st.sampled_from(USERS), position=st.integers(0, 20))
    def save(self, application: str, user: str | None, position: int) -> None:
        new = Snapshot(application, user, "exp3", position, str(next(self.clock)).encode())
        self.log.save([new])
        old = self.snapshots.get((application, user))
        if old is None or old.position < position:
            self.snapshots[application, user] = new

    @rule(application=st.sampled_from(APPLICATIONS), user=st.sampled_from(USERS), after=st.integers(0, 20))
    def read(self, application: str, user: str | None, after: int) -> None:
        expected = [e for e in self.entries[after:] if e.application == application]
        if user is not None:
            expected = [e for e in expected if e.user == user or (e.user is None and not isinstance(e.event, Feedback))]
        assert list(self.log.entries(application, after, user)) == expected

    @rule(query=ids, application=st.sampled_from(APPLICATIONS), client=st.sampled_from("xyz"))
    def look_up(self, query: int, application: str, client: str) -> None:
        row = self.decisions.get(query)
        known = row is not None and row.application == application
        assert (self.log.decision(application, query) is not None) == known
        assert self.log.query_of(application, client) == self.clients.get((application, client))

    @rule(application=st.sampled_from(APPLICATIONS), user=st.sampled_from(USERS))
    def look_up_snapshot(self, application: str, user: str | None) -> None:
        assert self.log.snapshot(application, user, "exp3") == self.snapshots.get((application, user))

    @invariant()
    def knows_its_ends(self) -> None:
        assert self.log.head() == len(self.entries)
        assert self.log.last_query() == max(self.decisions, default=0)

    def teardown(self) -> None:
        self.log.close()


EXAMPLES = {"memory": 100, "sqlite": 15, "postgresql": 5}


def test_a_log_is_what_the_model_says(new_log: Callable[[], Log], request: pytest.FixtureRequest) -> None:
    class Machine(LogMachine):
        pass

    Machine.new_log = staticmethod(new_log)
    kind = request.node.callspec.params["new_log"]
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES[kind], stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
