"""How everyone's state and a user's are weighed against each other, where means or log weights are met."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, isinf, log

_LEAST = 1e-200  # weights that are less have lost digits


def worth(everyone: float, strength: float) -> float:
    """How many losses of a user `everyone`'s mean of so many counts for: it is not exact itself."""
    return 1.0 / (1.0 / strength + 1.0 / everyone) if everyone > 0 else 0.0


def sharpness(everyone: float, own: float, heard: float, strength: float) -> float:
    """The number of losses that a shrunk mean is worth: `everyone`'s for a new user, so that the user is answered
    as the population is; after `heard` feedbacks, by a geometric mean, ever more the user's `own`.
    """
    if everyone <= 0.0:
        return own
    w = 1.0 if isinf(strength) else strength / (heard + strength)
    return exp(w * log(everyone) + (1.0 - w) * log(own))


def steps(logs: Sequence[float], memory: float, learning_rate: float, share: float) -> list[float]:
    """By how much each falls behind the heaviest at a feedback: what log weights remember, over their `memory`.

    Or, if that is more, the step at which what a model loses and what fixed share gives it are in balance, though no
    more than a whole loss: such gifts hold up a weight that has long been small, while the memory grows. All models
    count as awake: of one that was away for long the balance overstates how far it fell behind; the bound limits that.
    """
    if not logs:
        return []
    top, whole = max(logs), log_sum(logs)
    gifts = [share / len(logs) / max(exp(w - whole), _LEAST) for w in logs]
    balances = [log(1.0 - gift) if gift < 1.0 else -inf for gift in gifts]
    balance = max(balances)
    return [
        min((w - top) / max(memory, 1.0), max(b - balance, -learning_rate)) for w, b in zip(logs, balances, strict=True)
    ]


def log_sum(logs: Sequence[float]) -> float:
    """The logarithm of the sum of the weights."""
    top = max(logs)
    return top + log(sum(exp(w - top) for w in logs))
