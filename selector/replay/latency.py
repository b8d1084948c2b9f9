"""How long a policy's answers would have taken: its rounds one after the other, each as long as its slowest model."""

from __future__ import annotations

from msgspec import Struct, field

from selector.decisions import Decision


class Latencies(Struct):
    """Of each model, the time that its predictions took so far: how many, and their sum in seconds.

    A model that was not asked in time by the logged policy is taken to need its mean. What more or fewer queries would
    have done to its queue the log does not tell.
    """

    count: dict[str, int] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=dict)

    def add(self, logged: Decision) -> None:
        """Take in the latencies of a decision as logged."""
        for model, microseconds in logged.latencies.items():
            self.count[model] = self.count.get(model, 0) + 1
            self.total[model] = self.total.get(model, 0.0) + microseconds / 1e6

    def of(self, decision: Decision, logged: Decision) -> float | None:
        """Seconds that a policy's decision would have taken; None where nothing is known of a model that it asked."""
        rounds = [[self._one(model, logged) for model in selection.models] for selection in decision.selections]
        known = [[one for one in each if one is not None] for each in rounds]
        if not rounds or any(len(k) < len(r) for k, r in zip(known, rounds, strict=True)):
            return None
        return sum(max(each) for each in known)

    def _one(self, model: str, logged: Decision) -> float | None:
        if model in logged.latencies:
            return logged.latencies[model] / 1e6
        return self.total[model] / self.count[model] if model in self.count else None
