"""Exponential weights as logarithms: the state of Exp3 and Exp4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, isinf, log, log2

from msgspec import Struct

from selector.logarithm import LN2
from selector.policies.shrinkage import log_sum, sharpness, steps, worth
from selector.policies.tally import Tally

_LEAST = 1e-200  # weights that sum to less have lost digits: they are taken relative to the heaviest


class Weights(Struct, array_like=True):
    """Log weights, aligned with `tally.models`, up to a common summand: the largest is between -ln K and 0.

    `memory` is the number of feedbacks that the weights still reflect: fixed share forgets, so it
    stays below 1 / share.
    """

    tally: Tally
    logs: list[float] = []
    memory: float = 0.0

    def of(self, models: Sequence[str]) -> list[float]:
        """The weights of these models up to a common factor, by which the heaviest is between 1 / K and 1."""
        if models == self.tally.models:
            return list(map(exp, self.logs))
        logs = self.logs_of(models)
        top = max(logs, default=0.0)
        return [exp(w - top) for w in logs]

    def logs_of(self, models: Sequence[str]) -> list[float]:
        """The log weights of these models; those that are not known weigh what they would on joining."""
        if models == self.tally.models:
            return self.logs
        known = dict(zip(self.tally.models, self.logs, strict=True))
        newcomer = self._mean()
        return [known.get(model, newcomer) for model in models]

    def with_models(self, models: Sequence[str]) -> Weights:
        """New weights of these models: one that joins has the mean weight, so that it is drawn once in K."""
        tally = self.tally.with_models(models)
        return Weights(tally, _normalized(self.logs_of(tally.models)), self.memory)

    def learn(self, steps: Sequence[tuple[str, float]], share: float) -> None:
        """log w_i -= step_i for each (model, step), then fixed share, in place; nothing if no model is known."""
        models, known = self.tally.models, False
        for model, step in steps:
            if model in models:
                self.logs[models.index(model)] -= step
                known = True
        if known:
            self.settle(share, models, None)

    def score(self, model: str, loss: float, step: float) -> bool:
        """Count a loss and take its step, in place, to be followed by `settle`; False if the model is not known."""
        tally = self.tally
        if model not in tally.models:
            return False
        i = tally.models.index(model)
        tally.counts[i] += 1.0
        tally.losses[i] += loss
        self.logs[i] -= step
        return True

    def learn_all(self, losses: Mapping[str, float], learning_rate: float, share: float, awake: Sequence[str]) -> None:
        """Count these losses and learn that each is worth a step of `learning_rate` times itself, in place."""
        before, known = self.held(awake), False
        tally, logs = self.tally, self.logs
        counts, sums = tally.counts, tally.losses
        for i, model in enumerate(tally.models):
            loss = losses.get(model)
            if loss is None:
                continue
            counts[i] += 1.0
            sums[i] += loss
            if before is None or model in awake:
                logs[i] -= learning_rate * loss
                known = True
        if known:
            self.settle(share, awake, before)

    def held(self, awake: Sequence[str]) -> float | None:
        """Log of what the models `awake`, those that could be asked, weigh together; None if that is everyone."""
        if awake == self.tally.models:
            return None
        logs = [log for model, log in zip(self.tally.models, self.logs, strict=True) if model in awake]
        return log_sum(logs) if logs else 0.0

    def settle(self, share: float, awake: Sequence[str], before: float | None) -> None:
        """After the steps of one feedback, in place: fixed share, among those `awake`, who `held` so much `before`.

        Fixed share (Herbster & Warmuth 1998): each model gives `share` of its weight to be spread
        evenly, so that none falls below share / K of the whole and a failed model can come back.
        Models that are not awake keep their part of the whole, neither giving nor taking (Freund, Schapire,
        Singer, Warmuth: Using and combining predictors that specialize, 1997).
        """
        if before is None:
            self.logs = _shared(self.logs, share) if share > 0 else _normalized(self.logs)
        else:
            places = [i for i, model in enumerate(self.tally.models) if model in awake]
            logs = [self.logs[i] for i in places]
            logs = _shared(logs, share) if share > 0 else logs
            gain = before - log_sum(logs)
            for i, log_weight in zip(places, logs, strict=True):
                self.logs[i] = log_weight + gain
            self.logs = _normalized(self.logs)
        self.memory = (1.0 - share) * self.memory + 1.0

    def reweigh(self, model: str, count: float, loss: float, learning_rate: float) -> None:
        """A model known by `count` losses since it changed weighs as if they were all that the weights remember.

        In place: log w_i = that of the heaviest other - eta memory (L_i - L_other), L being mean losses, L_i
        shrunk by two losses like that other's: which of them is better is for the labels since the change to say. As
        labels that prove a change for the better are lucky ones, it weighs at most as much as all others together.
        """
        i = self.tally.models.index(model)
        self.tally.counts[i], self.tally.losses[i] = count, loss
        others = [j for j in range(len(self.logs)) if j != i]
        if others:
            best = max(others, key=self.logs.__getitem__)
            mean = self.tally.losses[best] / max(1.0, self.tally.counts[best])
            step = learning_rate * self.memory * ((loss + 2.0 * mean) / (count + 2.0) - mean)
            self.logs[i] = min(self.logs[best] - step, log_sum([self.logs[j] for j in others]))
            self.logs = _normalized(self.logs)

    def blend(self, own: Weights, strength: float, learning_rate: float, share: float) -> Weights:
        """These log weights of everyone met with a user's `own`: each step, or mean loss, is shrunk.

        The step is (n v + k u) / (n + k), u and v being everyone's and the user's, n the memory of the user, and k as
        in `worth`; the log weights are as many of it as `sharpness` tells.
        """
        n, models = own.memory, self.tally.models
        if not own.counts(strength):
            return Weights(self.tally, self.logs, self.memory)
        # What was learned of a model that has left is still in the weights of the others, no longer in their counts.
        k = worth(max([self.memory, *self.tally.counts]), strength)
        memory = sharpness(self.memory, n + min(k, self.memory), n, strength)
        everyones = steps(self.logs, self.memory, learning_rate, share)
        owns = steps(own.logs_of(models), n, learning_rate, share)
        scale = memory / (n + k)
        logs = [scale * (n * v + k * u) for u, v in zip(everyones, owns, strict=True)]
        return Weights(self.tally.blend(own.tally, n, strength), _normalized(logs), memory)

    def counts(self, strength: float) -> bool:
        """Whether anything of these, a user's, counts beside everyone's."""
        return self.memory > 0.0 and not isinf(strength)

    def lifted(self, share: float) -> Weights:
        """These weights, but that none is lighter than what fixed `share` of what they weigh together gives to each."""
        if share == 0.0 or not self.logs:
            return self
        least = log_sum(self.logs) + log(share / len(self.logs))
        return Weights(self.tally, [max(w, least) for w in self.logs], self.memory)

    def _mean(self) -> float:
        return log(sum(map(exp, self.logs)) / len(self.logs)) if self.logs else 0.0


def _normalized(logs: Sequence[float]) -> list[float]:
    top = max(logs, default=0.0)
    return [w - top for w in logs]


def _shared(logs: Sequence[float], share: float) -> list[float]:
    """Log weights that sum to 1, after each model has given a share of its weight to all."""
    weights = list(map(exp, logs))
    total = sum(weights)
    if total < _LEAST:
        return _shared(_normalized(logs), share)
    kept, gift = (1.0 - share) / total, share / len(weights)
    for i, w in enumerate(weights):
        weights[i] = LN2 * log2(kept * w + gift)
    return weights
