"""One thing that is watched of one model: its usual level, and whether it has left that."""

from __future__ import annotations

from math import sqrt

from selector.drift import Change, Cusum, Watch

SILENT = 1e-6
"""False alarms a query of each signal that needs no labels; there are three."""
KNOWN = 100.0
"""Queries from which a usual level is learned; that many a new model is taken to have answered."""
SETTLED = 2_000.0  # observations at a new level make it the usual one
_MEMORY = 32.0  # observations that `lately` remembers
_CALM = 0.25  # of an alarm's evidence
_BACK = 0.25  # with at most this part of the distance left, a level is back at the usual one


class Blocks(Cusum):
    """The CUSUM of `selector.drift`, for observations in [0, 1] that come in blocks: their number and their sum.

    A block is one step of the CUSUM: it makes fewer false alarms than its observations one by one, and sees a
    change at the end of a block at the earliest.
    """

    def take(self, watch: Watch, n: int, total: float) -> Change | None:
        """Take a block into account, in place: the change that it proves, if any; the caller then restarts."""
        if n == 1:
            return self.add(watch, total)
        if watch.count >= watch.due:
            self._refresh(watch)
        constants, bets = watch.constants, len(watch.constants) // 2
        scaled = [n * cost for cost in constants[:bets]] + constants[bets:]
        watch.worse, watch.better = self.weigh(watch.evidence, scaled, total)
        self._remember(watch, n, total)
        if watch.worse >= 1.0 or watch.better >= 1.0:
            return self._alarm(watch)
        watch.recent_count += n
        watch.recent_loss += total
        if watch.worse < _CALM and watch.better < _CALM:
            watch.count += watch.recent_count
            watch.loss += watch.recent_loss
            watch.recent_count = watch.recent_loss = 0.0
        return None

    def _remember(self, watch: Watch, n: int, total: float) -> None:
        """What came since half of an alarm's evidence was there."""
        rising, falling = watch.worse >= 0.5, watch.better >= 0.5
        watch.rise_count, watch.rise_loss = (watch.rise_count + n, watch.rise_loss + total) if rising else (0.0, 0.0)
        watch.fall_count, watch.fall_loss = (watch.fall_count + n, watch.fall_loss + total) if falling else (0.0, 0.0)


class Signal:
    """Observations in [0, 1], the level that is usual for them, and whether they have left it.

    `changed` from an alarm on, until the level is back or has been the same for SETTLED observations: then that is
    the usual one. So is a lower level at once, where a fall is `welcome`. `lately` is the mean of the last few dozen.
    `known` is how many observations had `usual` for their mean before this signal began; until there are `trusted`
    of them nothing is made of any.
    """

    __slots__ = (
        "_before",
        "_before_count",
        "_count",
        "_detector",
        "_trusted",
        "_watch",
        "_welcome",
        "changed",
        "lately",
    )

    def __init__(
        self,
        false_alarms: float,
        usual: float = 0.0,
        known: float = 0.0,
        *,
        welcome: bool = True,
        trusted: float = 0.0,
    ) -> None:
        self._detector = Blocks(false_alarms)
        self._watch = Watch(known, known * usual)
        self._welcome = welcome
        self._trusted = trusted
        self._before = usual
        self._before_count = 0.0
        self._count = known
        self.changed = False
        self.lately = usual

    @property
    def usual(self) -> float:
        """The mean while nothing had changed."""
        return self._before if self.changed else _mean(self._watch.loss, self._watch.count)

    @property
    def known(self) -> float:
        """The observations of which the usual level is the mean."""
        return self._before_count if self.changed else self._watch.count

    @property
    def count(self) -> float:
        """Observations at the present level."""
        return self._watch.count + self._watch.recent_count

    @property
    def level(self) -> float:
        """Their mean."""
        return _mean(self._watch.loss + self._watch.recent_loss, self.count)

    @property
    def now(self) -> str:
        """The present level beside the usual one, in words."""
        return f"{self.level:.2f} over the last {self.count:.0f}, usually {self.usual:.2f}"

    @property
    def excess(self) -> float:
        """How far the last few dozen observations lie above the usual level; nothing before there are that many."""
        return self.lately - self.usual if self._count >= _MEMORY else 0.0

    @property
    def watched(self) -> bool:
        """Whether there is evidence of a rise, or there has been one."""
        return self.changed or self._watch.worse > 0.0

    @property
    def leaving(self) -> bool:
        """Whether there is a good part of what proves a rise, or a change has just been proved."""
        return self._watch.worse >= _CALM or (self.changed and self.count <= _MEMORY)

    @property
    def rising(self) -> bool:
        """Whether a rise has been proved, or half of what proves it is there: the present level begins with that."""
        return self.changed or self._watch.rise_count > 0.0

    @property
    def seen(self) -> float:
        """All observations so far."""
        return self._count

    def add(self, n: int, total: float) -> None:
        """`n` observations with the sum `total`."""
        self._count += n
        self.lately += (total / n - self.lately) * n / (n + min(self._count - n, _MEMORY))
        if self._count <= self._trusted:
            self._watch.count += n
            self._watch.loss += total
            return
        change = self._detector.take(self._watch, n, total)
        if change is not None:
            self._leave()
        elif self.changed and self._watch.count >= SETTLED:
            self.changed = False

    def alarm(self, count: float, total: float) -> None:
        """Other evidence proves a change; the last `count` observations came after it, with the sum `total`."""
        self._watch.recent_count, self._watch.recent_loss = count, total
        self._leave()

    def _leave(self) -> None:
        usual, known, left = self.usual, self.known, _mean(self._watch.loss, self._watch.count)
        self._watch = self._watch.restarted()
        noise = 2.0 * sqrt(usual * (1.0 - usual) / max(1.0, self.count))
        better = self._welcome and self.level <= usual
        back = self.changed and abs(self.level - usual) <= _BACK * abs(left - usual) + noise
        if better or back:
            self.changed = False
        else:
            self.changed, self._before, self._before_count = True, usual, known


def _mean(total: float, count: float) -> float:
    return total / count if count > 0 else 0.0
