"""What the clients of one application know: what they were answered, and what was acknowledged."""

from __future__ import annotations

from random import Random

from msgspec import Struct


class Asked(Struct, frozen=True):
    """A query that was answered, by the id in its answer, and the right label."""

    id: str
    user: str | None
    truth: float


class Told(Struct, frozen=True):
    """Feedback as it was sent, about queries by the ids that they have on the wire.

    With `input`: a labelled input without an earlier predict, under the client's own id.
    """

    queries: tuple[str, ...]
    label: float | None = None
    reward: float | None = None
    input: tuple[float, ...] | None = None


class Ledger:
    """Queries and feedback of one application, and the promises that no audit has checked yet.

    `open`: answered, without feedback. `doubtful`: feedback whose answer was lost with the connection, so that
    it may be in the log or not. `acknowledged`: by query id, what the server said that it has taken.
    """

    def __init__(self) -> None:
        self.open: list[Asked] = []
        self.doubtful: list[Told] = []
        self.acknowledged: dict[str, Told] = {}
        self.new_answers: list[str] = []
        self.new_acknowledged: list[Told] = []
        self.answers = 0
        self.defaults = 0
        self._told: list[Told] = []

    def answered(self, asked: Asked, default: bool) -> None:
        """An answer has come."""
        self.answers += 1
        self.defaults += default
        self.open.append(asked)
        self.new_answers.append(asked.id)

    def acknowledge(self, told: Told) -> None:
        """The server has said that it has this feedback."""
        self.new_acknowledged.append(told)
        self._told.append(told)
        for query in told.queries:
            self.acknowledged[query] = told

    def take_open(self, rng: Random) -> Asked | None:
        """A random query without feedback, old or new; nobody else gets it."""
        if not self.open:
            return None
        index = rng.randrange(len(self.open))
        self.open[index], self.open[-1] = self.open[-1], self.open[index]
        return self.open.pop()

    def some_told(self, rng: Random) -> Told | None:
        """Some feedback that was acknowledged."""
        return rng.choice(self._told) if self._told else None
