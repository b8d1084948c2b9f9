"""What has been spent and what it bought, and the price of accuracy that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log, sqrt

from msgspec import Struct

_MEMORY = 20_000.0  # queries after which old ones fade, and over which debts of the beginning are spread
_LATELY = 500.0
_SMOOTH = 200.0  # queries over which the gap is averaged before the price heeds it: it is rare and large
_RATE, _SPENDING, _STEP = 0.02, 0.02, 0.03
_SETTLED = 2000.0  # queries until the price may move at full rate
_LEAST_ERROR = 0.005
_SLACK = 1000.0  # variance below which more certainty is worth no more
_FIRST, _LEAST, _MOST = 0.1, 0.02, 1.0  # accuracy that asking the reference must buy


class Account(Struct, array_like=True):
    """Errors of the cascade less those of one model: estimated sum, its variance, a query's variance of late.

    `wrong` is the estimated sum of that model's errors.
    """

    gap: float = 0.0
    variance: float = 0.0
    lately: float = 0.0
    wrong: float = 0.0


class Ledger(Struct, array_like=True):
    """`price` is the logarithm of the accuracy that one unit of cost must buy; `gap` what is lost to the best of late.

    Errors of a model that is not asked are estimated by augmented inverse propensity weighting: what is expected of
    it, corrected where it was asked by chance. Sums are over 20,000 queries at most.

    Robins, Rotnitzky, Zhao: Estimation of regression coefficients when some regressors are not always observed (1994).
    """

    price: float = 0.0
    queries: float = 0.0
    spent: float = 0.0
    accounts: dict[str, Account] = {}
    gap: float = 0.0

    def with_models(self, models: Sequence[str], cost: float) -> Ledger:
        """Of these models. `cost` is the dearest's, from which the first price follows."""
        accounts = {model: self.accounts.get(model) or Account() for model in models}
        price = self.price if self.accounts else log(_FIRST / max(cost, 1e-9))
        return Ledger(price, self.queries, self.spent, accounts, self.gap)

    @property
    def rate(self) -> float:
        """The accuracy that one unit of cost must buy."""
        return exp(self.price)

    def reference(self, z: float) -> str | None:
        """The best model, as far as that is known: the one to which most has been lost, with confidence `z`."""
        bounds = {model: account.gap - z * sqrt(account.variance) for model, account in self.accounts.items()}
        return max(bounds, key=bounds.__getitem__) if bounds else None

    def worth(self, model: str, z: float) -> float:
        """Errors that one unit of variance of the gap to `model` is worth: the slope of z times its deviation."""
        account = self.accounts[model]
        return z / (2.0 * sqrt(account.variance + self._ahead * account.lately + _SLACK))

    def enter(self, cost: float) -> None:
        """One more query, in place."""
        if self.queries >= _MEMORY:
            keep = 1.0 - 1.0 / _MEMORY
            self.queries, self.spent = keep * self.queries, keep * self.spent
            for account in self.accounts.values():
                account.gap, account.variance = keep * account.gap, keep * account.variance
                account.wrong *= keep
        self.queries += 1.0
        self.spent += cost

    def compare(self, model: str, wrong: float, gap: float, variance: float) -> None:
        """One query's estimated error of a model, and the cascade's less that, in place."""
        account = self.accounts[model]
        account.gap += gap
        account.variance += variance
        account.wrong += wrong
        account.lately += (variance - account.lately) / min(self.queries, _LATELY)

    def begin(self, cost: float) -> None:
        """The price while all are asked; `cost` is the reference's."""
        self.price = log(_FIRST / max(cost, 1e-9))

    def heed_accuracy(self, model: str, gap: float, epsilon: float, z: float, cost: float) -> None:
        """Move the price by one query's expected gap to the reference, in place.

        So that, when the queries ahead are done, gap plus z deviations will be `epsilon` of all queries.
        """
        account, n, ahead = self.accounts[model], self.queries, self._ahead
        deviation = sqrt(account.variance + ahead * account.lately)
        allowed = (epsilon * (n + ahead) - z * deviation - account.gap) / ahead
        error = max(account.wrong / n, _LEAST_ERROR)
        self.gap += (gap - self.gap) / min(n, _SMOOTH)
        step = max(-_STEP, min(_STEP, _RATE / error * (allowed - self.gap)))
        price = self.price + min(1.0, n / _SETTLED) * step
        cost = max(cost, 1e-9)
        self.price = min(max(price, log(min(_LEAST, 0.2 * error) / cost)), log(_MOST / cost))

    def heed_budget(self, cost: float, budget: float, models: Mapping[str, float]) -> None:
        """Move the price by the cost of one query, in place; overspending is to be made good in the queries ahead."""
        allowed = budget - (self.spent - budget * self.queries) / max(1000.0, self.queries)
        price = self.price + _SPENDING * max(-5.0, min(5.0, (cost - allowed) / budget))
        dearest = max([*models.values(), 1e-9])
        self.price = min(max(price, log(1e-4 / dearest)), log(100.0 / dearest))

    @property
    def _ahead(self) -> float:
        return max(_MEMORY - self.queries, self.queries / 3.0)
