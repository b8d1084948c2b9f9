"""What the applications of one front end share."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec import Struct

from feedback_store.writer import Writer
from serving.deadlines import Deadlines
from serving.query_ids import QueryIds


class Surroundings(Struct, frozen=True):
    """The log's writer, ids, timers, clocks and chance, handed to every application.

    Clocks in seconds: `wall` since the epoch, `steady` for deadlines. `update_timeout` in seconds.
    """

    writer: Writer
    ids: QueryIds
    deadlines: Deadlines
    wall: Callable[[], float]
    steady: Callable[[], float]
    rng: Random
    update_timeout: float
