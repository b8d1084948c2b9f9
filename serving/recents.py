"""Decisions of the last while, for the feedback that will come: which input, and what arrived too late to be used."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from selector.decisions import Prediction
from serving.shadows import SHADOWS_BYTES, Shadows
from serving.values import Input, extent

ENTRY_BYTES = 400
"""What an entry takes beside its input: dictionary slot, struct, tuple of names."""


LATE_BYTES = 250
"""What a late prediction takes beside its extent."""

NONE: Mapping[str, Prediction] = MappingProxyType({})


class Recent(Struct, gc=False):  # what waits for its shadows leads back to it, but is let go at their deadline
    """A decision's user and input, the models whose predictions it holds, its shadows if any, and later arrivals."""

    user: str | None
    input: Input
    predicted: tuple[str, ...]
    shadows: Shadows | None = None
    late: Mapping[str, Prediction] = NONE


class Recents:
    """The newest decisions, at most `limit` bytes of them, oldest forgotten first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._entries: dict[int, Recent] = {}
        self._order: deque[int] = deque()  # a dict's first key takes long to find where many before it have gone
        self._clients: dict[str, int] = {}
        self._client_of: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, query: int, recent: Recent, client: str | None = None) -> None:
        """Remember a decision; `client` is the id that the client gave it."""
        self._entries[query] = recent
        self._order.append(query)
        self.bytes += _own_size(recent)
        if client is not None:
            self._clients[client] = query
            self._client_of[query] = client
        while self.bytes > self.limit:
            self._forget_oldest()

    def add_late(self, query: int, model: str, prediction: Prediction | None) -> None:
        """Remember what came after the answer, None being nothing, if its decision is remembered."""
        recent = self._entries.get(query)
        if recent is None:
            return
        if prediction is not None and model not in recent.late:
            recent.late = {**recent.late, model: prediction}
            self.bytes += _size(prediction)
        if recent.shadows is not None:
            recent.shadows.settle(model)

    def get(self, query: int) -> Recent | None:
        """The decision of that id, if it is remembered."""
        return self._entries.get(query)

    def query_of(self, client: str) -> int | None:
        """The id of the remembered decision to which the client gave this one."""
        return self._clients.get(client)

    def _forget_oldest(self) -> None:
        query = self._order.popleft()
        recent = self._entries.pop(query)
        self.bytes -= _own_size(recent) + sum(map(_size, recent.late.values()))
        client = self._client_of.pop(query, None)
        if client is not None:
            del self._clients[client]


def _own_size(recent: Recent) -> int:
    return len(recent.input.data) + ENTRY_BYTES + (0 if recent.shadows is None else SHADOWS_BYTES)


def _size(late: Prediction) -> int:
    return LATE_BYTES + extent(late)
