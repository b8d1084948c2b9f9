"""What models have said lately, for each application: the same input is not asked twice, in flight or after."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import Protocol

from msgspec import Struct

from selector.decisions import Prediction
from selector.errors import WindjammerError
from serving.batching.queue import Expired
from serving.values import Input, Waiter, extent

Key = tuple[str, int, Input]
"""Model, how often it had been forgotten, input; compared by equality."""

OVERHEAD = 400
"""Bytes of an entry besides the input's data and the output's text, as measured on CPython 3.11."""


class Asked(Protocol):
    """What the cache needs of a deployed model (`serving.models.Model`)."""

    key: str

    @property
    def available(self) -> bool:
        """Whether a replica is up."""

    def ask(self, input: Input, deadline: float, waiter: Waiter) -> None:
        """See `Model.ask`."""


class Entry(Struct, gc=False):
    """A prediction, the time from which it is too old, and the bytes that it takes."""

    prediction: Prediction
    expires: float
    size: int


class Cache:
    """Predictions by model and input: at most `limit` bytes (0 keeps none), for `ttl` seconds of `clock`.

    The least recently used go first. Asks for what is in flight join it; errors reach all that joined, and are
    not kept.
    """

    def __init__(self, limit: int, ttl: float, clock: Callable[[], float]) -> None:
        self.limit = limit
        self.ttl = ttl
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self.joined = 0
        self.evicted = 0
        self.clock = clock
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._flights: dict[Key, _Flight] = {}
        self._forgotten: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def ask(self, model: Asked, input: Input, deadline: float, waiter: Waiter) -> None:
        """Answer from what is known, join what is in flight, else ask the model. The waiter may hear of it at once."""
        name = model.key
        key = (name, self._forgotten.get(name, 0), input)
        entry = self._entries.get(key) if self._entries else None  # to hash an input takes longer than to ask first
        if entry is not None:
            if entry.expires > self.clock():
                self._entries.move_to_end(key)
                self.hits += 1
                waiter.arrived(name, entry.prediction)
                return
            self.bytes -= self._entries.pop(key).size
        first = _Flight(self, model, key, waiter)
        flight = self._flights.setdefault(key, first)
        if flight is not first and model.available:
            self.joined += 1
            flight.joined.append((deadline, waiter))
            return
        self.misses += 1
        model.ask(input, deadline, first if flight is first else waiter)

    def peek(self, model: str, input: Input) -> Prediction | None:
        """What the model is known to say. Counts as no use."""
        entry = self._entries.get((model, self._forgotten.get(model, 0), input))
        return entry.prediction if entry is not None and entry.expires > self.clock() else None

    def forget(self, model: str) -> None:
        """Nothing that this model has been asked until now is known, or will be.

        What was kept can no longer be found and gives way to what comes; answers in flight reach whoever
        waits for them, and are not kept.
        """
        self._forgotten[model] = self._forgotten.get(model, 0) + 1
        for key in [key for key in self._flights if key[0] == model]:
            del self._flights[key]

    def land(self, flight: _Flight) -> bool:
        """The flight is over. Returns whether it had not been forgotten."""
        return self._flights.pop(flight.key, None) is flight

    def keep(self, key: Key, prediction: Prediction) -> None:
        """Store a prediction that is not stored, and let the oldest go for it."""
        size = _size(key[2], prediction)
        if size > self.limit:
            return
        entries = self._entries
        entries[key] = Entry(prediction, self.clock() + self.ttl, size)
        self.bytes += size
        while self.bytes > self.limit:
            self.bytes -= entries.popitem(last=False)[1].size
            self.evicted += 1


class _Flight(Struct, gc=False):
    """The one who asks a model for everybody that wants the same (a Waiter).

    `joined` are those who came later, with their deadlines.
    """

    cache: Cache
    model: Asked
    key: Key
    waiter: Waiter
    joined: list[tuple[float, Waiter]] = []

    def arrived(self, model: str, prediction: Prediction) -> None:
        """Keep the prediction, and hand it to all."""
        if self.cache.land(self) and self.cache.limit:
            self.cache.keep(self.key, prediction)
        self.waiter.arrived(model, prediction)
        for _, waiter in self.joined:
            waiter.arrived(model, prediction)

    def failed(self, model: str, error: WindjammerError) -> None:
        """Hand the error to all; but if only the first one's time was up, ask again for those who have time left."""
        cache = self.cache
        cache.land(self)
        self.waiter.failed(model, error)
        now = cache.clock() if isinstance(error, Expired) else inf
        for deadline, waiter in sorted(self.joined, key=_deadline):
            if deadline > now:
                cache.ask(self.model, self.key[2], deadline, waiter)
            else:
                waiter.failed(model, error)


def _deadline(joined: tuple[float, Waiter]) -> float:
    return joined[0]


def _size(input: Input, prediction: Prediction) -> int:
    return OVERHEAD + len(input.data) + extent(prediction)
