"""States per user: each folded from that user's entries alone, kept in bounded memory."""

from __future__ import annotations

from collections import OrderedDict

from selector.decisions import Entry, Feedback
from selector.learner import Learner


class Users:
    """The learners of the users seen last, at most `limit` of them; the log can always give the others back.

    A user is absent, loading, or known. Entries that come while a user loads are kept and folded
    when the load is done; the learner ignores those that the load had seen already.
    """

    def __init__(self, limit: int, loads: int = 64) -> None:
        if limit < 1 or loads < 1:
            raise ValueError("at least one user must fit, and one must be able to load")
        self.limit = limit
        self.loads = loads
        self._known: OrderedDict[str, Learner] = OrderedDict()
        self._loading: dict[str, list[Entry]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, user: str) -> Learner | None:
        """The user's learner, if it is known; it becomes the one seen last."""
        learner = self._known.get(user)
        if learner is not None:
            self._known.move_to_end(user)
        return learner

    def begin_load(self, user: str) -> bool:
        """Whether the caller shall load this user now: not if it is loading already, or too many are."""
        if user in self._loading or len(self._loading) >= self.loads:
            return False
        self._loading[user] = []
        return True

    def end_load(self, user: str, learner: Learner) -> None:
        """The user is known, up to date with what came while it loaded. The one seen longest ago may go."""
        learner.fold_all(self._loading.pop(user))
        self._known[user] = learner
        if len(self._known) > self.limit:
            self._known.popitem(last=False)

    def fail_load(self, user: str) -> None:
        """The user could not be loaded; it may be tried again."""
        del self._loading[user]

    def fold(self, entry: Entry) -> None:
        """Fold an entry into the learner it concerns, or into all if it is about the application."""
        if entry.user is None:
            if isinstance(entry.event, Feedback):
                return  # about a query without a user
            for learner in self._known.values():
                learner.fold(entry)
            for waiting in self._loading.values():
                waiting.append(entry)
        elif entry.user in self._loading:
            self._loading[entry.user].append(entry)
        elif entry.user in self._known:
            self._known[entry.user].fold(entry)
