"""What an evaluation says: estimates with intervals, differences with their multiplicity, and the winner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from msgspec import Struct

from selector.replay.survey import Survey
from selector.replay.tally import Readings


class Estimate(Struct, frozen=True, kw_only=True):
    """What one estimator says of one candidate's mean reward.

    `low` and `high` hold it with the confidence asked for: the bootstrap's where that can be trusted, else together
    with the `anytime` interval, which holds at every moment of any log; `interval` says which. `standard_error` is the
    jackknife's, of the estimator whose interval it is (`interval_of`). `evaluated` is "stationary" for a policy that is
    fixed, "learning" for one that learned as it went. `more_decisions` is how many more of the log's kind are needed
    before the candidate can be told from the logging policy; 0 if it can, None if no number would do.
    """

    candidate: str
    estimator: str
    value: float
    low: float
    high: float
    effective_sample_size: float
    warnings: tuple[str, ...] = ()
    interval: str = "bootstrap"
    standard_error: float = 0.0
    bootstrap_low: float = 0.0
    bootstrap_high: float = 0.0
    anytime_low: float = 0.0
    anytime_high: float = 1.0
    evaluated: str = "stationary"
    decisions: int = 0
    largest_weight: float = 0.0
    uncovered: float = 0.0
    more_decisions: int | None = None

    def __getitem__(self, name: str) -> Any:
        """A field by its name, as in a row of a table."""
        if name not in self.__struct_fields__:
            raise KeyError(name)
        return getattr(self, name)


class Difference(Struct, frozen=True):
    """The mean reward of `better` minus that of `worse`, paired; all differences hold at once with the confidence."""

    better: str
    worse: str
    value: float
    low: float
    high: float


class Evaluation(Sequence[Estimate]):
    """The estimates, candidate by candidate, the default estimator's first.

    `logged` is the logging policy's mean reward. `differences` are between the first estimates of all candidates and
    `logged`; `winner` is better than every other, or None. `survey` and `readings` are what the two readings of the log
    found: weights, calibration of the logged probabilities, reliability of the reward model; None after exact replay.
    """

    def __init__(
        self,
        rows: Sequence[Estimate],
        logged: Estimate,
        differences: Sequence[Difference],
        survey: Survey | None = None,
        readings: Readings | None = None,
    ) -> None:
        self.rows = tuple(rows)
        self.logged = logged
        self.differences = tuple(differences)
        self.survey = survey
        self.readings = readings

    @overload
    def __getitem__(self, place: int) -> Estimate: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Estimate]: ...
    def __getitem__(self, place: int | slice) -> Estimate | Sequence[Estimate]:
        return self.rows[place]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Estimate]:
        return iter(self.rows)

    @property
    def best(self) -> list[Estimate]:
        """The first estimate of each candidate."""
        return list({row.candidate: row for row in reversed(self.rows)}.values())[::-1]

    @property
    def winner(self) -> str | None:
        """The candidate whose every difference is above 0; None if there is no such."""
        names = {d.better for d in self.differences} | {d.worse for d in self.differences}
        for name in names:
            own = [d for d in self.differences if name in (d.better, d.worse)]
            if own and all(d.better == name and d.low > 0 for d in own):
                return name
        return None
