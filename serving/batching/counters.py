"""What a deployed model counts about itself: plain numbers, so that counting costs next to nothing."""

from __future__ import annotations


class Counters:
    """Counts of one model since its start.

    `batches` and `queries` were sent to replicas, and again if they were sent again: their quotient is the
    mean batch size. `sizes[k]` of the batches held at most 2^k rows and more than 2^(k - 1). `seconds` is the service
    time of the batches that came back. `refused`: queue full, or no time left; `expired`: the deadline
    passed in the queue; `failed`: got another error; `retried`: put back into the queue for another try.
    """

    __slots__ = ("batches", "expired", "failed", "queries", "refused", "retried", "seconds", "sizes")

    def __init__(self) -> None:
        self.batches = 0
        self.queries = 0
        self.sizes = [0] * 21
        self.seconds = 0.0
        self.refused = 0
        self.expired = 0
        self.failed = 0
        self.retried = 0

    def sent(self, size: int) -> None:
        """A batch of `size` rows left."""
        self.batches += 1
        self.queries += size
        self.sizes[min((size - 1).bit_length(), 20)] += 1
