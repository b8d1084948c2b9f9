"""The root of the one error tree. Each class carries its wire code and its public phrase."""

from __future__ import annotations

from typing import ClassVar


class WindjammerError(Exception):
    """Anything that went wrong in a way we can name.

    `status` is the HTTP status, `phrase` the short public name (`error` on the wire); the message
    is the public cause. Translation to a response happens at one place, `serving/api/errors.py`.
    """

    status: ClassVar[int] = 500
    phrase: ClassVar[str] = "Internal error"


class InvalidLabel(WindjammerError):
    """A label, output or reward that the loss cannot take."""

    status = 400
    phrase = "Invalid label"


class InvalidSetting(WindjammerError):
    """A policy, loss or setting that does not exist or is out of its range."""

    status = 400
    phrase = "Invalid setting"
