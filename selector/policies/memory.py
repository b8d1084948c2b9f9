"""A tally that forgets: by discount, by a sliding window, and by a restart when a model's loss has changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from selector.decisions import Decision
from selector.drift import DETECTORS, Change, DetectorName, Watch
from selector.policies.single import Single, asked
from selector.policies.tally import Tally
from selector.policy import Losses

_LATEST = 500.0  # feedbacks over which it is learned how often models are scored that were not asked


class Course(Struct, array_like=True):
    """How one model has fared: what its detector knows, when it was last scored, and whether it got worse last."""

    watch: Watch
    heard: float = 0.0
    failed: bool = False


class Memory(Struct, array_like=True):
    """A tally of what is still remembered, and the course of each model, aligned with `tally.models`.

    `clock` counts the feedbacks that scored a model, `spared` is the part of the latest that scored one that had not
    been asked. `latest` are the last scores, (model, loss) by feedback,
    as many feedbacks as the window is long; empty without a window.
    """

    tally: Tally
    courses: list[Course] = []
    clock: float = 0.0
    spared: float = 0.0
    latest: list[list[tuple[str, float]]] = []

    def of(self, models: Sequence[str]) -> list[Course]:
        """The courses of these models; those that are not known begin now."""
        if self.courses and models == self.tally.models:
            return self.courses
        known = dict(zip(self.tally.models, self.courses, strict=False))
        return [known.get(model) or Course(Watch(), self.clock) for model in models]


M = TypeVar("M", bound=Memory)


class Remembering(Single[M], Generic[M], frozen=True, kw_only=True):
    """Asks one model by a tally of losses that may forget.

    With `unasked`, the losses of models that were not asked count too, where a label makes them known: by
    shadow queries, from the cache, or late. Shadow queries are drawn whatever the input, so their mean loss is
    that of all queries. Predictions from the cache are those for inputs that came before, late ones those for inputs
    that take long: their losses are taken for typical. False is the published rule.

    `discount` multiplies what is remembered at each feedback (1: nothing is forgotten), `window` is the number of
    feedbacks remembered (0: all). `restart` is the detector that watches each model's losses: when they have
    changed, the model keeps only those since.
    """

    unasked: bool = True
    discount: Annotated[float, Meta(gt=0, le=1)] = 1.0
    window: Annotated[int, Meta(ge=0, le=100_000)] = 0
    restart: DetectorName | Literal["none"] = "cusum"

    @abstractmethod
    def made(self, memory: Memory) -> M:
        """The state with this memory."""

    def initial_state(self, models: Sequence[str]) -> M:
        return self.with_models(self.made(Memory(Tally())), models)

    def with_models(self, state: M, models: Sequence[str]) -> M:
        tally = state.tally.with_models(models)
        courses = [_copied(course) for course in state.of(tally.models)]
        latest = [[(m, loss) for m, loss in scores if m in tally.models] for scores in state.latest]
        return self.made(Memory(tally, courses, state.clock, state.spared, latest))

    def remember(self, memory: Memory, decision: Decision, losses: Losses) -> tuple[bool, bool]:
        """Learn in place: was there anything to learn, and did it restart a model?"""
        picked = [model for model, _ in asked(decision)]
        told = losses if self.unasked else picked
        scores = [(model, losses[model]) for model in sorted(told) if model in losses and model in memory.tally.models]
        if not scores:
            return False, False
        memory.clock += 1.0
        spared = [model for model, _ in scores if model not in picked]
        memory.spared += (float(bool(spared)) - memory.spared) / _LATEST
        if self.discount < 1.0:
            memory.tally.scale(self.discount)
        for model, loss in scores:
            memory.tally.add(model, loss)
        if self.window:
            self._slide(memory, scores)
        changes = [self._watch(memory, model, loss) for model, loss in scores]
        return True, any(changes)

    def meet(self, population: M, own: M, strength: float) -> M:
        """Shrunk mean losses; whoever has heard more tells which models are silent or have failed."""
        state = self.with_models(own, population.tally.models)
        wiser = population if population.clock > own.clock else state
        tally = population.tally.blend(own.tally, own.clock, strength)
        courses = [_copied(course) for course in wiser.of(tally.models)]
        return self.made(Memory(tally, courses, wiser.clock, wiser.spared, state.latest))

    def _watch(self, memory: Memory, model: str, loss: float) -> Change | None:
        i = memory.tally.models.index(model)
        course = memory.courses[i]
        course.heard = memory.clock
        change = None if self.restart == "none" else DETECTORS[self.restart].add(course.watch, loss)
        if change is not None:
            memory.tally.counts[i], memory.tally.losses[i] = course.watch.recent_count, course.watch.recent_loss
            memory.latest = _with_last(memory.latest, model, course.watch.recent_count)
            course.watch, course.failed = course.watch.restarted(), change == "worse"
        return change

    def _slide(self, memory: Memory, scores: list[tuple[str, float]]) -> None:
        memory.latest.append(scores)
        if len(memory.latest) > self.window:
            left = self.discount**self.window
            for model, loss in memory.latest.pop(0):
                memory.tally.take(model, loss, left)


def _with_last(latest: list[list[tuple[str, float]]], model: str, count: float) -> list[list[tuple[str, float]]]:
    """The scores without those of `model`, but for its last `count`."""
    kept = []
    for scores in reversed(latest):
        kept.append([score for score in scores if score[0] != model or count > 0])
        count -= any(name == model for name, _ in scores)
    return kept[::-1]


def _copied(course: Course) -> Course:
    return Course(course.watch.copy(), course.heard, course.failed)
