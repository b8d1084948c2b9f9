"""Has a model ceased to know anything? What its answers lose, beside what its siblings' lose on the same inputs."""

from __future__ import annotations

from math import exp, inf, log

from selector.drift import rates

_STEPS = 4  # from 0 to 1, of the siblings' mean loss
_ALONE = -1  # the group of inputs of which that is not known, the last in every list
_TELLING = 0.1  # nats a label: with less the loss alone sees a failure as soon, if there is anything to lose at all
_MOST = 0.995  # of a model that knows nothing
_TRUSTED = 100.0  # labels from which rates are learned before anything is made of them
_REFRESH = 0.02  # rates are taken anew when their labels have grown by this part
_CALM = 0.25  # with less than this part of an alarm's evidence, rates are learned


class Collapse:
    """Evidence that a model's answers have nothing to do with its inputs any more: a risk-adjusted CUSUM of its losses.

    On inputs on which its siblings err a model errs too: each loss is held against the rate r that is usual where
    they err so often. A model that knows nothing loses the same everywhere: `chance`, what the label of another
    query would. S <- max(0, S + log-likelihood ratio of max(chance, r) to r); alarm when S reaches
    ln(I / alpha) + 2 ln(z), where I is the mean growth after a collapse and z allows for the overshoot, as in
    `selector.drift`. `count` and `total` are the labels since S last was nothing, and their loss.

    Steiner, Cook, Farewell, Treasure: Monitoring surgical performance using risk-adjusted cumulative sum charts (2000).
    """

    __slots__ = ("_alarms", "_due", "_gains", "_level", "_limit", "_seen", "count", "total")

    def __init__(self, false_alarms: float) -> None:
        self.count = 0.0
        self.total = 0.0
        self._alarms = false_alarms
        self._seen = [(0.0, 0.0)] * (_STEPS + 2)
        self._gains = [(0.0, 0.0)] * (_STEPS + 2)
        self._level = 0.0
        self._limit = inf
        self._due = _TRUSTED

    def add(self, loss: float, beside: float | None, chance: float | None) -> bool:
        """Whether this loss completes an alarm. `beside` is the mean loss of the siblings, None without any."""
        group = _ALONE if beside is None else round(beside * _STEPS)
        right, more = self._gains[group]
        before = self._level
        level = before + right + loss * more
        if level > 0.0:
            self._level = level
            self.count += 1.0
            self.total += loss
        elif before > 0.0:
            self._level = self.count = self.total = 0.0
        if before < _CALM * self._limit:
            count, total = self._seen[group]
            self._seen[group] = (count + 1.0, total + loss)
            self._due -= 1.0
            if self._due <= 0.0 and chance is not None:
                self._prepare(min(_MOST, chance))
        return level >= self._limit

    def _prepare(self, chance: float) -> None:
        """What right and wrong answers tell in each group, and the limit."""
        labels = growth = steps = overshoots = 0.0
        for group, (count, total) in enumerate(self._seen):
            usual = rates(count, total)[1]
            failed = max(chance, usual)
            right, wrong = log((1.0 - failed) / (1.0 - usual)), log(failed / usual)
            self._gains[group] = (right, wrong - right)
            labels += count
            growth += count * (failed * wrong + (1.0 - failed) * right)
            steps += count * failed * wrong
            overshoots += count * failed * (1.0 - exp(-wrong))
        self._due = _REFRESH * labels
        if growth > _TELLING * labels:
            self._limit = log(growth / labels / self._alarms) + 2.0 * log(overshoots / steps)
        else:
            self._gains, self._limit, self._level = [(0.0, 0.0)] * len(self._seen), inf, 0.0
