"""What a log or a candidate may not be."""

from __future__ import annotations

from selector.errors import WindjammerError


class InvalidLog(WindjammerError, ValueError):
    """Logged decisions from which nothing can be estimated: the message says which rows, and why."""

    status = 400
    phrase = "Invalid log"


class InvalidCandidate(WindjammerError, ValueError):
    """A candidate that cannot be evaluated on this log: the message says why."""

    status = 400
    phrase = "Invalid candidate"
