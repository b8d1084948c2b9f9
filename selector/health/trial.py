"""Has a model recovered, or fallen back? What it does, against what it did while it was well and while it failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import log

from msgspec import Struct

from selector.decisions import Label

RECOVERED = log(100.0)  # nats for "well" and against "failed"
RELAPSED = log(1_000.0)  # nats against; more, for a model that has recovered is asked often
HELD = 40.0  # observations without a relapse
TELLING = 0.1  # levels closer than this tell nothing
ACQUITTAL = "loss by labels"
"""The loss of a model that is accused by its siblings alone: it may speak for the model, but not against it."""
_LEAST, _MOST = 0.02, 0.98  # no one observation is proof
_DOUBT = 1.0  # nats: no more than this says nothing
_UNKNOWN = (0.02, 0.5)


class Trial(Struct):
    """Sequential likelihood ratios of one signal: `good` for the level while well, `bad` for the one while failing.

    Both start anew whenever they fall below nothing: what was seen before a change does not count against it.
    `good_count` and `good_total` are of the observations since then, `count` is of all.
    Page: Continuous inspection schemes (1954).
    """

    well: float
    failed: float
    good: float = 0.0
    good_count: float = 0.0
    good_total: float = 0.0
    bad: float = 0.0
    bad_count: float = 0.0
    bad_total: float = 0.0
    count: float = 0.0

    def add(self, n: float, total: float) -> None:
        """`n` observations in [0, 1] with the sum `total`."""
        well, failed = min(_MOST, max(_LEAST, self.well)), min(_MOST, max(_LEAST, self.failed))
        gain = total * log(well / failed) + (n - total) * log((1 - well) / (1 - failed))
        self.count += n
        self.good, self.good_count, self.good_total = self.good + gain, self.good_count + n, self.good_total + total
        self.bad, self.bad_count, self.bad_total = self.bad - gain, self.bad_count + n, self.bad_total + total
        if self.good <= 0.0:
            self.good = self.good_count = self.good_total = 0.0
        if self.bad <= 0.0:
            self.bad = self.bad_count = self.bad_total = 0.0


class Trials:
    """All signals of one model that tell a failure from health. What labels say for it outweighs the rest.

    The more often it has relapsed, the more a recovery takes to be believed: a model that is neither well nor
    failing would come and go.
    """

    def __init__(self, levels: Mapping[str, tuple[float, float]], relapses: int = 0) -> None:
        self.relapses = relapses
        self.levels = dict(levels)
        told = {name: Trial(*level) for name, level in levels.items() if abs(level[0] - level[1]) >= TELLING}
        failures = Trial(*_UNKNOWN)
        self._telling = told or {"failures": failures}
        self.by_name = {"failures": failures} | self._telling
        self._labels = told.get("loss", told.get(ACQUITTAL))
        self._last: Label | None = None

    def add(self, name: str, n: float, total: float) -> None:
        """`n` observations of a signal; of one that tells nothing they are not used."""
        trial = self._labels if name == "loss" else self.by_name.get(name)
        if trial is not None:
            trial.add(n, total)

    def say(self, outputs: Iterable[Label]) -> None:
        """The next outputs: those of a model that is stuck repeat themselves."""
        for output in outputs:
            if self._last is not None:
                self.add("repeats", 1, float(output == self._last))
            self._last = output

    @property
    def hope(self) -> float:
        """How much the last observations speak for a recovery, in nats."""
        return max(trial.good for trial in self._telling.values())

    @property
    def recovered(self) -> str:
        """The signal that proves a recovery, while none speaks against it; empty if there is none."""
        against = (self.by_name["failures"], *self._accusing.values())
        if any(trial.good == 0.0 and trial.bad > _DOUBT for trial in against):
            return ""
        needed = RECOVERED * (1 + self.relapses)
        return next((name for name, trial in self._telling.items() if trial.good >= needed), "")

    @property
    def relapsed(self) -> str:
        """The signal that proves a relapse; empty if there is none."""
        trials = self._accusing | {"failures": self.by_name["failures"]}
        return next((name for name, trial in trials.items() if trial.bad >= RELAPSED), "")

    @property
    def held(self) -> bool:
        """Whether nothing has happened for so long that the model may be taken for well."""
        return any(trial.count >= HELD for trial in self._telling.values())

    @property
    def _accusing(self) -> dict[str, Trial]:
        """Those that may speak against the model: while its labels speak for it, only they and failures to answer."""
        labels = self._labels
        cleared = labels is not None and labels.good > labels.bad + _DOUBT
        names = {"loss", "failures"} if cleared else self._telling.keys() - {ACQUITTAL}
        return {name: trial for name, trial in self._telling.items() if name in names}
