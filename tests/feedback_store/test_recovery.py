"""After a crash: rows from the spool, and learners from snapshot and log."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest

from feedback_store.contract import Log, Snapshot, StoreUnavailable
from feedback_store.memory import MemoryLog
from feedback_store.recovery import recover, restore
from feedback_store.spool import Spool
from selector.decisions import Decision, Feedback, ModelsChanged
from selector.learner import Learner
from selector.losses import ZeroOne
from selector.policy import Losses
from tests.feedback_store.samples import Counting, Counts, a_label, a_row, an_event


def leave(root: Path, *queries: int) -> None:
    """The spool of a process that is gone, with these rows."""
    spool = Spool(root, 1000)
    for query in queries:
        spool.append(a_row(query))
    spool.close()


def learner() -> Learner:
    return Learner(Counting(), ZeroOne())


@pytest.fixture
def history(log: Log) -> Log:
    """A hundred and one events of three users, in several commits."""
    log.commit([a_row(q, user=f"u{q % 3}") for q in range(1, 101)], [an_event(ModelsChanged(("cnn:1", "svm:1")))])
    for start in range(1, 101, 10):
        log.commit([], [a_label(q, label=q % 9, user=f"u{q % 3}") for q in range(start, start + 10)])
    return log


class TestSpools:
    def test_of_the_dead_are_committed_and_removed(self, log: Log, tmp_path: Path) -> None:
        leave(tmp_path / "spool", *range(1, 50))
        leave(tmp_path / "spool", *range(50, 60))
        assert recover(log, tmp_path / "spool") == 59
        assert all(log.decision("digits", query) for query in range(1, 60))
        assert recover(log, tmp_path / "spool") == 0

    def test_may_hold_what_the_log_has_already(self, log: Log, tmp_path: Path) -> None:
        log.commit([a_row(1)], [a_label(1)])
        leave(tmp_path / "spool", 1, 2)
        assert recover(log, tmp_path / "spool") == 2
        assert (log.head(), log.last_query()) == (1, 2)

    def test_stay_while_the_database_is_away(self, tmp_path: Path) -> None:
        leave(tmp_path, 1, 2)
        leave(tmp_path, 3)
        log = MemoryLog()
        with patch.object(MemoryLog, "commit", side_effect=StoreUnavailable("away")), pytest.raises(StoreUnavailable):
            recover(log, tmp_path)
        assert recover(log, tmp_path) == 3


class TestLearners:
    def test_are_folded_from_the_beginning_without_a_snapshot(self, history: Log) -> None:
        restored = learner()
        assert restore(history, "digits", None, "counting", restored) == 101
        assert restored.encode() == learner().fold_all(history.entries("digits")).encode()
        assert restored.position == 101

    @pytest.mark.parametrize("user", [None, "u1"])
    @pytest.mark.parametrize("position", [1, 40, 101])
    def test_are_the_same_from_a_snapshot_at_any_position(self, history: Log, position: int, user: str | None) -> None:
        whole = learner().fold_all(history.entries("digits", user=user))
        part = learner().fold_all(e for e in history.entries("digits", user=user) if e.position <= position)
        history.save([Snapshot("digits", user, "counting", part.position, part.encode())])
        restored = learner()
        folded = restore(history, "digits", user, "counting", restored)
        assert (restored.encode(), restored.position) == (whole.encode(), whole.position)
        assert folded == sum(entry.position > position for entry in history.entries("digits", user=user))

    def test_of_another_fold_do_not_take_up_its_snapshot(self, history: Log) -> None:
        history.save([Snapshot("digits", None, "other", 101, b"")])
        assert restore(history, "digits", None, "counting", learner()) == 101

    @pytest.mark.parametrize("data", [b"\x01" + bytes(7), b"\x01" + bytes(7) + b"\xc0"])
    def test_pass_over_a_snapshot_that_cannot_be_decoded(self, history: Log, data: bytes) -> None:
        history.save([Snapshot("digits", None, "counting", 50, data)])
        restored = learner()
        assert restore(history, "digits", None, "counting", restored) == 101
        assert restored.encode() == learner().fold_all(history.entries("digits")).encode()

    @pytest.mark.parametrize("user", [None, "u1"])
    def test_pass_over_entries_at_which_the_policy_raises(self, history: Log, user: str | None) -> None:
        """The model says 7, and every ninth label is 7."""
        restored = Learner(Grudging(), ZeroOne())
        entries = list(history.entries("digits", user=user))
        lost = [e for e in entries if isinstance(e.event, Feedback) and e.event.label == 7]
        assert restore(history, "digits", user, "counting", restored) == len(entries)
        assert restored.position == entries[-1].position
        assert restored.skipped == len(lost) > 0
        assert restored.state == learner().fold_all(entry for entry in entries if entry not in lost).state


class Grudging(Counting, frozen=True, kw_only=True, tag="grudging"):
    """Has learned when it finds that it cannot bear a model that was right."""

    def observe(self, state: Counts, decision: Decision, losses: Losses) -> Counts:
        state = super().observe(state, decision, losses)
        if losses["svm:1"] == 0.0:
            raise ArithmeticError("it was right")
        return state
