"""What is watched of one model, and what that says: that something has changed, or that the model has failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import median

from msgspec import Struct

from selector.decisions import Label
from selector.health.labelled import Case, Labelled
from selector.health.run import Run
from selector.health.signal import Signal

SILENT = 1e-6  # false alarms a query of each signal that needs no labels; there are three
_LEFT = 0.25  # a model with at most this part of its usefulness left has failed
_ENOUGH = 10.0  # labels
_PLENTY = 24.0  # queries without labels
_RUN = 4  # no shorter run is one of a model that is stuck
_FAILING = 0.5  # of its queries a model that has failed does not answer
_KNOWN = 100.0  # queries from which a usual level is learned; that many a new model is taken to have answered
_USEFUL = 0.2  # a model that agrees with its siblings less than this above chance has nothing to lose
_WORTH = 0.1  # of loss: a model that lost no more than this did no harm
_SHARED = 2 / 3  # with at least this part of its new dissent among its siblings too, it is not its own
_DIVIDED = 0.7  # of one mind less than this part as often as usual, siblings are no measure
_BLOCKS = 16.0  # that are remembered
_FAR = 0.6  # a number that dissents this often tells nothing


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
        known = {name: (level, _KNOWN) for name, level in (usual or {}).items()}
        self._labelled = Labelled(*known.get("loss", (0.0, 0.0)))
        self.failures = Signal(SILENT, *known.get("failures", (0.01, _KNOWN)))
        self.dissent = Signal(SILENT, *known.get("dissent", (0.0, 0.0)), trusted=_KNOWN)
        self.score = Signal(SILENT, welcome=False, trusted=_KNOWN)
        self.run = Run()
        self._said: Counter[Label] = Counter()  # since the model began to dissent
        self._minds: Counter[Label] = Counter()
        self._unity = 1.0  # how often its siblings are of one mind
        self._usual_unity = 1.0
        self._blocks = 0.0
        self._usual_minds: Counter[Label] = Counter()  # before that
        self._since = 0  # the last query before that
        self._labels = 0.0  # of later ones
        self._losses = 0.0

    @property
    def loss(self) -> Signal:
        """What it loses by its answers, where there are labels."""
        return self._labelled.loss

    def learn(self, case: Case) -> None:
        """A label has come for what it said."""
        self._labelled.add(case)
        if case.query > self._since:
            self._labels += 1.0
            self._losses += case.loss

    def vote(self, n: int, dissents: int, outputs: Sequence[Label], minds: Counter[Label], newest: int) -> None:
        """In `n` of its queries its siblings were of one mind, and `dissents` times it was not; what all said.

        `newest` is the last of these queries.
        """
        rate = n / len(outputs)
        self._unity += (rate - self._unity) / 2
        if n:
            self.dissent.add(n, dissents)
        if not self.dissent.changed:
            self._blocks = min(_BLOCKS, self._blocks + 1.0)
            self._usual_unity += (rate - self._usual_unity) / self._blocks
            self._said, self._minds = Counter(), Counter()
            self._since, self._labels, self._losses = newest, 0.0, 0.0
            if self._usual_minds.total() > 1_000:
                self._usual_minds = Counter({mind: (n + 1) // 2 for mind, n in self._usual_minds.items()})
            self._usual_minds.update(minds)
        elif len(self._said) < 1_000:
            self._said.update(outputs)
            self._minds.update(minds)

    def knows(self, minds: Counter[Label]) -> bool:
        """Whether it usually agrees with its siblings more often than chance, if they are of one mind as in `minds`."""
        chance = self.run.chance(minds)
        return 1.0 - self.dissent.usual - chance >= _USEFUL * (1.0 - chance)

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
        self.dissent = Signal(SILENT, trusted=_KNOWN)
        self._blocks = 0.0

    def findings(self, siblings: Sequence[Signs], guess: float | None, numbers: bool) -> Findings:
        """What all this says, in comparison with what the siblings do.

        `guess` is the loss of the best constant guess, if there are labels. `numbers` tells regression.
        """
        failed = (
            self._fails(siblings)
            or self._errs(siblings, guess)
            or self._dissents(siblings, numbers)
            or self._stuck(siblings)
        )
        changed = self._changed(siblings)
        return Findings(changed or failed, failed, self._levels() if failed else {})

    def _changed(self, siblings: Sequence[Signs]) -> str:
        if self.loss.changed:
            return f"its loss is {_now(self.loss)}"
        if self.failures.changed and self.failures.level > self.failures.usual:
            return f"it fails {_now(self.failures)}"
        if self.dissent.changed and self.dissent.level > self.dissent.usual:
            also = " and so do they from each other: the inputs may have changed" if self._common(siblings) else ""
            return f"it dissents from its siblings {_now(self.dissent)}{also}"
        return f"its scores average {_now(self.score)}" if self.score.changed else ""

    def _fails(self, siblings: Sequence[Signs]) -> str:
        failures = self.failures
        others = [sibling.failures.lately for sibling in siblings]
        fails = failures.changed and failures.level >= _FAILING and failures.count >= _ENOUGH / 2
        return f"it fails {_now(failures)}" if fails and not (others and median(others) >= _FAILING) else ""

    def _errs(self, siblings: Sequence[Signs], guess: float | None) -> str:
        loss = self.loss
        if not loss.changed or loss.count < _ENOUGH or loss.known < _KNOWN:
            return ""
        level = loss.level - sqrt(loss.level * (1.0 - loss.level) / loss.count)
        useless = (1.0 + loss.usual) / 2 if guess is None else max(guess, loss.usual)
        left, before = useless - level, useless - loss.usual
        best = min((sibling.loss.lately for sibling in siblings if sibling.loss.seen >= _ENOUGH), default=0.0)
        if before < _WORTH or left > _LEFT * before or level - best < _WORTH:
            return ""
        than = "" if guess is None else f"; a constant guess {guess:.2f}"
        return f"its loss is {_now(loss)}{than}"

    def _dissents(self, siblings: Sequence[Signs], numbers: bool) -> str:
        dissent = self.dissent
        if not dissent.changed or dissent.count < _PLENTY or self._cleared or self._common(siblings):
            return ""
        chance = 1.0 - _FAR if numbers else min(_agreement(self._said, m) for m in (self._minds, self._usual_minds))
        usual = 1.0 - dissent.usual - chance
        if usual < _USEFUL or 1.0 - dissent.level - chance > _LEFT * usual:
            return ""
        return f"it dissents from its siblings {_now(dissent)}; by chance {1.0 - chance:.2f}"

    @property
    def _cleared(self) -> bool:
        """Whether labels of what it has said since say that its dissent does not make it wrong."""
        if self._labels < _ENOUGH:
            return False
        return self._losses / self._labels - self.loss.usual < self.dissent.excess / 2

    def _common(self, siblings: Sequence[Signs]) -> bool:
        """Whether the siblings dissent more as well, or have no mind, so that it may be the inputs that have changed.

        A sibling who knew only this one dissents just as often: of two models none can tell who has changed.
        """
        if self._unity < _DIVIDED * self._usual_unity:
            return True
        others = [_shift(sibling.dissent) for sibling in siblings if sibling.dissent.seen > 0]
        return not others or median(others) > _SHARED * _shift(self.dissent)

    def _stuck(self, siblings: Sequence[Signs]) -> str:
        run = self.run
        if not run.stuck(SILENT):
            return ""
        drifts = [sibling.run.drift(run.output, run.length) for sibling in siblings if sibling.run.length > 0]
        if not drifts or not run.stuck(SILENT, max(drifts)):
            return ""
        return f"it said {run.output!r} {run.length} times running; of its answers {run.usual:.2f} usually are that"

    def _levels(self) -> dict[str, tuple[float, float]]:
        levels = {name: _levels(signal) for name, signal in self._named.items() if signal.seen > 0}
        if self.run.stuck(SILENT):
            levels["repeats"] = (self.run.repeats, 1.0)
        return {name: level for name, level in levels.items() if level[1] - level[0] >= _USEFUL}

    @property
    def _named(self) -> dict[str, Signal]:
        return {"loss": self.loss, "failures": self.failures, "dissent": self.dissent}


def _levels(signal: Signal) -> tuple[float, float]:
    """What is usual and what is now: lately, where no change is proved."""
    return signal.usual, signal.level if signal.changed else signal.lately


def _shift(signal: Signal) -> float:
    """The excess as a part of what there was room for."""
    return signal.excess / max(0.1, 1.0 - signal.usual)


def _now(signal: Signal) -> str:
    return f"{signal.level:.2f} over the last {signal.count:.0f}, usually {signal.usual:.2f}"


def _agreement(said: Counter[Label], minds: Counter[Label]) -> float:
    """How often two that know nothing of each other agree, if each says its labels as often as counted."""
    pairs = sum(said.values()) * sum(minds.values())
    return sum(count * minds.get(label, 0) for label, count in said.items()) / pairs if pairs else 0.0
