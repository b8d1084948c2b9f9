"""What single values may be that come from outside: the fields of requests, and what hooks return."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

STORABLE = "^[^\\x00]*$"
"""Text without NUL: PostgreSQL stores no other."""

Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Label = bool | Number | float | str
Feature = Number | float | str
OurId = Annotated[int, Meta(ge=0, le=2**63 - 1)]
ClientId = Annotated[str, Meta(min_length=1, max_length=128, pattern=STORABLE)]
QueryId = OurId | ClientId
User = Annotated[str, Meta(min_length=1, max_length=256, pattern=STORABLE)]
