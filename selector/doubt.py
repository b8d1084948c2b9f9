"""How much doubt answers usually claim, and whether that has grown."""

from __future__ import annotations

from math import sqrt

from msgspec import Struct, field

_SETTLED = 100.0  # answers from which it is known what is usual
_SLACK, _GROWN = 1.0, 5.0  # standard errors: of growth borne each time, and in all before doubt has grown
_LEAST_VARIANCE = 1e-4


class Doubt(Struct, array_like=True):
    """How many answers there were, their doubt, and its square, summed: `usual` fade, `recent` are since the last look.

    `evidence` is a CUSUM (Page: Continuous inspection schemes, 1954) of the standard errors by which recent answers
    claim more doubt than is usual.
    """

    usual: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    recent: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    evidence: float = 0.0

    def add(self, doubt: float) -> None:
        """One more answer, in place."""
        recent = self.recent
        recent[0] += 1.0
        recent[1] += doubt
        recent[2] += doubt * doubt

    def has_grown(self, keep: float) -> bool:
        """Whether doubt has grown, in place: recent answers count to the usual, of which `keep` is kept.

        Once it has, only the recent ones do.
        """
        (n, doubt, squares), (m, now, _) = self.usual, self.recent
        if n >= _SETTLED:
            mean = doubt / n
            variance = max(squares / n - mean * mean, _LEAST_VARIANCE)
            self.evidence = max(0.0, self.evidence + (now / m - mean) / sqrt(variance * (1.0 / n + 1.0 / m)) - _SLACK)
        grown = self.evidence > _GROWN
        if grown:
            self.evidence, self.usual = 0.0, [0.0, 0.0, 0.0]
        self.usual = [keep * (old + new) for old, new in zip(self.usual, self.recent, strict=True)]
        self.recent = [0.0, 0.0, 0.0]
        return grown
