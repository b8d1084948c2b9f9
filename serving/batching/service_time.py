"""How long batches take, smoothed."""

from __future__ import annotations


class ServiceTime:
    """Mean and mean deviation of service times, in seconds, the old ones fading.

    The estimator of TCP's retransmission timer (Jacobson, SIGCOMM 1988; RFC 6298, SRTT and RTTVAR, with its
    gains). Both are 0 before the first.
    """

    __slots__ = ("deviation", "mean")

    def __init__(self) -> None:
        self.mean = 0.0
        self.deviation = 0.0

    @property
    def most(self) -> float:
        """What few batches exceed: mean and four deviations."""
        return self.mean + 4 * self.deviation

    def add(self, seconds: float) -> None:
        """A batch took so long."""
        if self.mean:
            error = seconds - self.mean
            self.mean += error / 8
            self.deviation += (abs(error) - self.deviation) / 4
        else:
            self.mean, self.deviation = seconds, seconds / 2
