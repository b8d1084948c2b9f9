"""Sizes and times as people write them in a configuration, as plain numbers of bytes and seconds."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(value: object) -> object:
    """ "64MiB" as a number of bytes; what is not text is left as it is. Raises ValueError."""
    return round(_measured(value, _BYTES, "64MiB")) if isinstance(value, str) else value


def parse_duration(value: object) -> object:
    """ "10min" as a number of seconds; what is not text is left as it is. Raises ValueError."""
    return _measured(value, _SECONDS, "10min") if isinstance(value, str) else value


def parse_milliseconds(value: object) -> object:
    """A number of milliseconds as seconds; what is not a number is left as it is."""
    return value / 1e3 if isinstance(value, int | float) and not isinstance(value, bool) else value


def _measured(text: str, units: dict[str, float] | dict[str, int], example: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)", text.strip())
    if match is None or match[2] not in units:
        raise ValueError(f"expected a number with one of the units {', '.join(units)}, as in {example!r}")
    return float(match[1]) * units[match[2]]


Size = Annotated[int, Meta(ge=0, extra={"parse": parse_size, "unit": "bytes"})]
Duration = Annotated[float, Meta(gt=0, extra={"parse": parse_duration, "unit": "s"})]
Milliseconds = Annotated[float, Meta(gt=0, extra={"parse": parse_milliseconds, "unit": "ms"})]
"""In seconds everywhere but in the file, where the key ends in `_ms`."""
