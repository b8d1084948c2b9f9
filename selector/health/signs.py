"""What is watched of one model, and what that says: that something has changed, or that the model has failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import median

from msgspec import Struct

from selector.decisions import Label
from selector.health.dissent import ENOUGH, LEFT, USEFUL, Dissent
from selector.health.labelled import Case, Labelled
from selector.health.run import Run
from selector.health.signal import KNOWN, SILENT, Signal
from selector.health.trial import ACQUITTAL

_RUN = 4  # no shorter run is one of a model that is stuck
_FAILING = 0.5  # of its queries a model that has failed does not answer
_WORTH = 0.1  # of loss: a model that lost no more than this did no harm


class Findings(Struct, frozen=True):
    """`changed` says what is no longer as usual, `failed` why the model does harm; empty if that is not so.

    `levels` has what was usual and what is, of each signal that tells the two apart.
    """

    changed: str = ""
    failed: str = ""
    levels: dict[str, tuple[float, float]] = {}


class Signs:
    """The signals of one model. `usual` are levels that are known from before, by signal."""

    def __init__(self, usual: Mapping[str, float] | None = None) -> None:
        known = {name: (level, KNOWN) for name, level in (usual or {}).items()}
        self._labelled = Labelled(*known.get("loss", known.get(ACQUITTAL, (0.0, 0.0))))
        self.failures = Signal(SILENT, *known.get("failures", (0.01, KNOWN)))
        self.dissent = Dissent(*known.get("dissent", (0.0, 0.0)))
        self.score = Signal(SILENT, welcome=False, trusted=KNOWN)
        self.run = Run()

    @property
    def loss(self) -> Signal:
        """What it loses by its answers, where there are labels."""
        return self._labelled.loss

    def learn(self, case: Case) -> None:
        """A label has come for what it said."""
        self._labelled.add(case)
        self.dissent.learn(case)

    def knows(self, minds: Counter[Label]) -> bool:
        """Whether it usually agrees with its siblings more often than chance, if they are of one mind as in `minds`."""
        chance = self.run.chance(minds)
        return 1.0 - self.dissent.usual - chance >= USEFUL * (1.0 - chance)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to be found."""
        changed = self.loss.changed or self.failures.changed or self.dissent.changed or self.score.changed
        return not changed and self.run.length < _RUN

    def forget_siblings(self) -> None:
        """Its siblings are others from now on."""
        self._labelled.forget_siblings()
        self.forget_votes()

    def forget_votes(self) -> None:
        """Its siblings' votes are counted in another way from now on."""
        self.dissent = Dissent()

    def findings(self, siblings: Sequence[Signs], guess: float | None, numbers: bool) -> Findings:
        """What all this says, in comparison with what the siblings do.

        `guess` is the loss of the best constant guess, if there are labels. `numbers` tells regression.
        """
        failed = (
            self._fails(siblings)
            or self._errs(siblings, guess)
            or self.dissent.useless(_dissents(siblings), self.loss.usual, numbers)
            or self._stuck(siblings)
        )
        changed = self._changed(siblings)
        return Findings(changed or failed, failed, self._levels(guess) if failed else {})

    def _changed(self, siblings: Sequence[Signs]) -> str:
        if self.loss.changed:
            return f"its loss is {self.loss.now}"
        if self.failures.changed and self.failures.level > self.failures.usual:
            return f"it fails {self.failures.now}"
        if self.dissent.changed and self.dissent.level > self.dissent.usual:
            common = self.dissent.common(_dissents(siblings))
            also = " and so do they from each other: the inputs may have changed" if common else ""
            return f"it dissents from its siblings {self.dissent.now}{also}"
        return f"its scores average {self.score.now}" if self.score.changed else ""

    def _fails(self, siblings: Sequence[Signs]) -> str:
        failures = self.failures
        others = [sibling.failures.lately for sibling in siblings]
        fails = failures.changed and failures.level >= _FAILING and failures.count >= ENOUGH / 2
        return f"it fails {failures.now}" if fails and not (others and median(others) >= _FAILING) else ""

    def _errs(self, siblings: Sequence[Signs], guess: float | None) -> str:
        loss = self.loss
        if not loss.changed or loss.count < ENOUGH or loss.known < KNOWN:
            return ""
        level = loss.level - sqrt(loss.level * (1.0 - loss.level) / loss.count)
        useless = (1.0 + loss.usual) / 2 if guess is None else max(guess, loss.usual)
        left, before = useless - level, useless - loss.usual
        best = min((sibling.loss.lately for sibling in siblings if sibling.loss.seen >= ENOUGH), default=0.0)
        if before < _WORTH or left > LEFT * before or level - best < _WORTH:
            return ""
        than = "" if guess is None else f"; a constant guess {guess:.2f}"
        return f"its loss is {loss.now}{than}"

    def _stuck(self, siblings: Sequence[Signs]) -> str:
        run = self.run
        if not run.stuck(SILENT):
            return ""
        drifts = [sibling.run.drift(run.output, run.length) for sibling in siblings if sibling.run.length > 0]
        if not drifts or not run.stuck(SILENT, max(drifts)):
            return ""
        return f"it said {run.output!r} {run.length} times running; of its answers {run.usual:.2f} usually are that"

    def _levels(self, guess: float | None) -> dict[str, tuple[float, float]]:
        levels = {name: _levels(signal) for name, signal in self._named.items() if signal.seen > 0}
        if self.run.stuck(SILENT):
            levels["repeats"] = (self.run.repeats, 1.0)
        levels = {name: level for name, level in levels.items() if level[1] - level[0] >= USEFUL}
        if "dissent" in levels and "loss" not in levels and self.loss.known >= KNOWN:
            levels[ACQUITTAL] = self._feared(levels["dissent"], guess)
        return levels

    def _feared(self, dissent: tuple[float, float], guess: float | None) -> tuple[float, float]:
        """The loss that is usual, and what it would be if the new dissent were all error, which labels may refute."""
        usual = self.loss.usual
        useless = 1.0 if guess is None else max(guess, usual)
        return usual, min(useless, usual + dissent[1] - dissent[0])

    @property
    def _named(self) -> dict[str, Signal]:
        return {"loss": self.loss, "failures": self.failures, "dissent": self.dissent}


def _levels(signal: Signal) -> tuple[float, float]:
    """What is usual and what is now: lately, where no change is proved."""
    return signal.usual, signal.level if signal.changed else signal.lately


def _dissents(siblings: Sequence[Signs]) -> list[Dissent]:
    return [sibling.dissent for sibling in siblings]
