"""What has been spent and what it bought, and the price of accuracy that follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log, sqrt

from msgspec import Struct, field

from selector.cascade.stage import Stage
from selector.cascade.survey import Survey
from selector.cascade.view import View

_MEMORY = 20_000.0  # queries after which old ones fade
_AHEAD = 12_000.0  # queries within which debts are to be made good, later a fifth of those before
_FADES = 25.0  # queries from one time to the next
_OLD = 0.01  # of all queries: so many later a model's errors are estimated again
_DUE = 0.3  # of the queries ahead: so much of what they allow may be owed
_SPENDING = 0.02  # the price's logarithm moves by this for a query that costs a budget too much
_LEAST_ERROR = 0.005
_PRIOR = 100.0  # queries that a model's usual share of errors counts for: of the first few it may be all or none
_SLACK = 1000.0  # variance below which more certainty is worth no more
_FIRST, _LEAST, _MOST = 0.1, 0.02, 1.0  # accuracy that asking the reference must buy
_SHARE = 0.7  # as a share of the reference's errors, while neither debt nor gain is seen
_GAIN, _DEBT = 25.0, 50.0  # by how much a gain or debt as great as the reference's errors moves the price's logarithm


class Account(Struct, array_like=True):
    """Of one model: the `queries` at which it was available, and the cascade's errors (`ours`); and as estimated `old`
    queries ago, the model's errors (`wrong`), the cascade's less those (`gap`), and the variance of either.
    """

    survey: Survey = field(default_factory=Survey)
    queries: float = 0.0
    ours: float = 0.0
    old: float = 0.0
    wrong: float = 0.0
    gap: float = 0.0
    variance: float = 0.0

    def error(self, usual: float) -> float:
        """The share of its answers that are wrong, `usual` being how often it is right where it is asked."""
        return max((self.wrong + _PRIOR * (1.0 - usual)) / (self.queries + _PRIOR), _LEAST_ERROR)

    def fade(self, keep: float) -> None:
        """Let all queries count for less, in place, the estimates too: of a model that is away none are made anew."""
        self.queries, self.ours = keep * self.queries, keep * self.ours
        self.wrong, self.gap, self.variance = keep * self.wrong, keep * self.gap, keep * self.variance
        self.survey.fade(keep)


class Ledger(Struct, array_like=True):
    """`price` is the logarithm of the accuracy that one unit of cost must buy.

    Sums are over 20,000 queries at most.
    """

    price: float = 0.0
    queries: float = 0.0
    spent: float = 0.0
    accounts: dict[str, Account] = {}

    def with_models(self, models: Sequence[str], cost: float, anew: bool) -> Ledger:
        """Of these models, all begun `anew` or not. `cost` is the dearest's, from which the first price follows."""
        if not self.accounts:
            return Ledger(log(_FIRST / max(cost, 1e-9)), accounts={model: Account() for model in models})
        if anew:
            return Ledger(self.price, accounts={model: Account() for model in models})
        accounts = {model: self.accounts.get(model) or Account() for model in models}
        return Ledger(self.price, self.queries, self.spent, accounts)

    @property
    def rate(self) -> float:
        """The accuracy that one unit of cost must buy."""
        return exp(self.price)

    def reference(self, available: Sequence[str], z: float) -> str | None:
        """The available model to which, with confidence `z`, most may be lost if the queries ahead are as those before.

        None must be forgotten: of one that is hardly ever asked the doubt counts, but also how it seems to do so far.
        """
        known = {model: self.accounts[model] for model in available if model in self.accounts}
        bounds = {m: a.gap * self._growth(a) + z * self._deviation(a) for m, a in known.items()}
        return max(bounds, key=bounds.__getitem__) if bounds else None

    def excess(self, model: str) -> tuple[float, float] | None:
        """The cascade's share of errors less the model's, over the queries at which it was available.

        And the deviation of that for its not having been asked each time: 0 if it was. The latest of those queries, a
        hundredth, or more of few, or if it has joined of late, count as no difference until the next estimate. None
        before the first.
        """
        account = self.accounts.get(model)
        if account is None or account.old >= account.queries:
            return None
        return account.gap / account.queries, sqrt(account.variance) / account.queries

    def worth(self, model: str, z: float) -> float:
        """Errors that one unit of variance of the gap to `model` is worth: the slope of z times its deviation."""
        return z / (2.0 * sqrt(self._deviation(self.accounts[model]) ** 2 + _SLACK))

    def enter(self, cost: float, stages: Mapping[int, Stage]) -> None:
        """One more query, in place.

        As old ones fade, so does what the stages know of models that were not asked: the errors in the latest queries
        are told by those of the latest in which they were.
        """
        self.queries += 1.0
        self.spent += cost
        if self.queries >= _MEMORY + _FADES:
            keep = _MEMORY / self.queries
            self.queries, self.spent = _MEMORY, keep * self.spent
            for account in self.accounts.values():
                account.fade(keep)
            for stage in stages.values():
                stage.fade(keep)

    def compare(
        self, available: Sequence[str], wrong: bool, right: Mapping[str, bool], view: View, correct: bool
    ) -> None:
        """Was the answer wrong, and who was right, as far as known; `view` and `correct` where it stopped, in place."""
        for model in available:
            account = self.accounts[model]
            account.queries += 1.0
            account.old += 1.0
            account.ours += wrong
            if model in right:
                account.survey.know(not right[model])
            else:
                account.survey.miss(view.mask, view.keys[-1], correct)

    def settle(self, stages: Mapping[int, Stage], ids: Mapping[str, int], usual: Mapping[str, float]) -> None:
        """Estimate the errors again of the model of which that was longest ago, if it is time, in place.

        Of one at a time, for it takes the longer the more labels, and sets of models, there are.
        """
        model = max(self.accounts, key=lambda name: self.accounts[name].old)
        account = self.accounts[model]
        if account.old >= _OLD * account.queries:
            account.wrong, account.variance = account.survey.estimate(stages, ids[model], usual[model])
            account.gap, account.old = account.ours - account.wrong, 0.0

    def heed_accuracy(self, model: str, usual: float, epsilon: float, z: float, cost: float) -> None:
        """Set the price by what was lost to the reference, `model`, `usual`ly right and for this cost, in place.

        It rises by what of `epsilon` was left unused with `z` deviations, and falls by what is owed beyond
        `epsilon` and a part of what the queries ahead allow, with half as many but twice as fast: a bound that is
        missed is worse than a saving that is. Between the two nothing is known, and asking the reference must buy
        a fixed share of its errors: to follow estimates that are mostly noise would cost more than it saves.
        """
        account = self.accounts[model]
        n = account.queries
        deviation, error, cost = sqrt(account.variance), account.error(usual), max(cost, 1e-9)
        unused = max(0.0, epsilon * n - account.gap - z * deviation)
        owed = max(0.0, account.gap + z / 2.0 * deviation - epsilon * (n + _DUE * self._ahead))
        price = log(_SHARE * error / cost) + (_GAIN * unused - _DEBT * owed) / ((n + self._ahead) * error)
        self.price = min(max(price, log(min(_LEAST, 0.2 * error) / cost)), log(_MOST / cost))

    def heed_budget(self, cost: float, budget: float, models: Mapping[str, float]) -> None:
        """Move the price by the cost of one query, in place; overspending is to be made good in the queries ahead."""
        allowed = budget - (self.spent - budget * self.queries) / max(1000.0, self.queries)
        price = self.price + _SPENDING * max(-5.0, min(5.0, (cost - allowed) / budget))
        dearest = max([*models.values(), 1e-9])
        self.price = min(max(price, log(1e-4 / dearest)), log(100.0 / dearest))

    def _deviation(self, account: Account) -> float:
        """Of the gap, when the queries ahead are done as those before them."""
        return sqrt(account.variance * self._growth(account))

    def _growth(self, account: Account) -> float:
        return 1.0 + self._ahead / max(account.queries, 1.0)

    @property
    def _ahead(self) -> float:
        return max(_AHEAD - self.queries, self.queries / 5.0)
