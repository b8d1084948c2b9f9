"""What an application counts about itself: plain numbers, so that counting costs next to nothing."""

from __future__ import annotations

from bisect import bisect_left

from selector.decisions import Answer

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds in seconds, closest around the usual objectives of 10 to 20 ms."""


class Measures:
    """Counts of one application since its start; latencies in seconds, by `LATENCY_BUCKETS` and above."""

    __slots__ = (
        "answers",
        "applied",
        "conflicts",
        "defaults",
        "duplicates",
        "errors",
        "latency_counts",
        "latency_sum",
        "refused",
        "sure",
        "unsure",
    )

    def __init__(self) -> None:
        self.answers = 0
        self.defaults = 0
        self.sure = 0
        self.unsure = 0
        self.errors = 0
        self.refused = 0
        self.applied = 0
        self.duplicates = 0
        self.conflicts = 0
        self.latency_sum = 0.0
        self.latency_counts = [0] * (len(LATENCY_BUCKETS) + 1)

    def answered(self, latency: float, answer: Answer) -> None:
        """An answer left, default or not, `latency` seconds after its query came."""
        self.answers += 1
        self.latency_sum += latency
        self.latency_counts[bisect_left(LATENCY_BUCKETS, latency)] += 1
        if answer.default:
            self.defaults += 1
        if answer.sure is not None:
            if answer.sure:
                self.sure += 1
            else:
                self.unsure += 1
