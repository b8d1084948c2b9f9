"""What has been spent and what it bought, and the price of accuracy that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt

from msgspec import Struct

_HORIZON = 20_000.0  # queries after which old ones fade
_AHEAD = 1_000.0  # queries within which a debt is to be paid, at least
_LATELY = 500.0
_PLAN = 10_000.0
_GAIN, _LEAST_ERROR = 0.02, 0.005
_SLACK = 1000.0
_SPENDING = 0.02


class Account(Struct, array_like=True):
    """Errors of the cascade less those of one model: the estimated sum, its variance, and that of a query of late."""

    gap: float = 0.0
    variance: float = 0.0
    lately: float = 0.0
    wrong: float = 0.0


class Ledger(Struct, array_like=True):
    """`price` is the logarithm of the accuracy that one unit of cost must buy."""

    price: float = 0.0
    queries: float = 0.0
    spent: float = 0.0
    accounts: dict[str, Account] = {}

    @property
    def ahead(self) -> float:
        return max(_PLAN - self.queries, self.queries / 3.0)

    def tightest(self, z: float) -> str | None:
        """The model to which the cascade may have lost most, with confidence z."""
        best, most = None, 0.0
        for model, account in self.accounts.items():
            bound = account.gap - z * sqrt(account.variance)
            if best is None or bound > most:
                best, most = model, bound
        return best

    def doubt(self, model: str, z: float) -> float:
        """What it costs in errors not to know whether `model` was right."""
        account = self.accounts[model]
        return z / (2.0 * sqrt(account.variance + self.ahead * account.lately + _SLACK))

    def enter(self, cost: float) -> None:
        """One more query, in place."""
        keep = 1.0 - 1.0 / _HORIZON if self.queries >= _HORIZON else 1.0
        self.queries = keep * self.queries + 1.0
        self.spent = keep * self.spent + cost
        if keep < 1.0:
            for account in self.accounts.values():
                account.gap *= keep
                account.variance *= keep
                account.wrong *= keep

    def compare(self, model: str, gap: float, variance: float, wrong: float) -> None:
        """The errors of the cascade less those of a model, as estimated for one query."""
        account = self.accounts[model]
        account.gap += gap
        account.variance += variance
        account.wrong += wrong
        account.lately += (variance - account.lately) / min(self.queries, _LATELY)

    def heed_accuracy(self, model: str, gap: float, epsilon: float, z: float, cost: float) -> None:
        """Move the price by the expected gap of one query to the tightest model."""
        account, n = self.accounts[model], self.queries
        ahead = self.ahead
        doubt = z * sqrt(account.variance + ahead * account.lately)
        allowed = (epsilon * (n + ahead) - doubt - account.gap) / ahead
        error = max(account.wrong / n, _LEAST_ERROR)
        pace = min(1.0, n / 2000.0)
        price = self.price + pace * max(-0.03, min(0.03, _GAIN / error * (allowed - gap)))
        self.price = min(max(price, log(min(0.02, 0.2 * error) / cost)), log(1.0 / cost))

    def heed_budget(self, cost: float, budget: float) -> None:
        """Move the price by the cost of one query."""
        ahead = max(_AHEAD, self.queries)
        allowed = budget - (self.spent - budget * self.queries) / ahead
        self.price += _SPENDING * max(-5.0, min(5.0, (cost - allowed) / budget))


def cost_of(models: Mapping[str, float]) -> float:
    return sum(models.values())
