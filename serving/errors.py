"""What can go wrong with a query, each with its wire code and its public phrase."""

from __future__ import annotations

from selector.errors import WindjammerError


class BadRequest(WindjammerError):
    """A body that is not what the route takes."""

    status = 400
    phrase = "Bad request"


class InvalidInput(WindjammerError):
    """An input of another shape or type than the application's."""

    status = 400
    phrase = "Invalid input"


class UnknownApplication(WindjammerError):
    """No application of that name."""

    status = 404
    phrase = "Unknown application"


class UnknownModel(WindjammerError):
    """No deployed model of that name and version."""

    status = 404
    phrase = "Unknown model"


class UnknownQueryId(WindjammerError):
    """The application made no decision of that id, or it is no longer kept."""

    status = 404
    phrase = "Unknown query"


class ConflictingFeedback(WindjammerError):
    """The query has other feedback already, or the client's query id is taken."""

    status = 409
    phrase = "Conflict"


class CannotAdopt(WindjammerError):
    """A policy cannot be adopted: the configuration forbids it, or what would have to change is changing already."""

    status = 409
    phrase = "Cannot adopt"


class BodyTooLarge(WindjammerError):
    """A body over the limit."""

    status = 413
    phrase = "Body too large"


class Overloaded(WindjammerError):
    """A queue is full, or the work could not be done before its deadline. Repeat after a while."""

    status = 503
    phrase = "Overloaded"


class ShuttingDown(WindjammerError):
    """The server takes no more queries."""

    status = 503
    phrase = "Shutting down"


class ModelFailed(WindjammerError):
    """A model raised, hung, died or answered something that is not a prediction."""

    status = 502
    phrase = "Model failed"


class DeadlineExceeded(WindjammerError):
    """No prediction arrived before the deadline, and the application has no default output."""

    status = 504
    phrase = "Deadline exceeded"
