"""The front end's end of one worker's connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Protocol, cast

from selector.decisions import Prediction
from serving.errors import ModelFailed
from serving.values import Input
from serving.workers import frames
from serving.workers.frames import BadFrame, BatchFailed, Decoder, Header, Labels, Rows

SEND_BUFFER = 1 << 20
"""Bytes that the kernel may hold of what was sent (it may grant less): a usual batch goes out in one call."""


class Listener(Protocol):
    """Whoever uses the replicas of one model. All calls come on the loop's thread."""

    def joined(self, replica: Replica) -> None:
        """A replica is ready for batches."""

    def told(self, replica: Replica, batch: int, predictions: Sequence[Prediction | ModelFailed]) -> None:
        """The answer to a batch, one for each of its inputs, in their order."""

    def left(self, replica: Replica, reason: str) -> None:
        """The replica is gone, with all batches under way. Called once for each that joined."""


class Replica(asyncio.Protocol):
    """One connection to a worker that is ready: batches out, predictions in.

    `name` ("svm:1/0") is the worker's, `model` ("svm:1") its model's key.
    """

    def __init__(self, name: str, model: str, listener: Listener) -> None:
        self.name = name
        self.model = model
        self.lost = asyncio.Event()
        self._listener = listener
        self._decoder = Decoder()
        self._transport: asyncio.Transport | None = None

    def send(self, batch: int, inputs: Sequence[Input]) -> None:
        """Ask for predictions of `inputs` (one or more, of one datatype and shape), under a number of the caller's.

        Raises BadFrame if together they are over the limit of a frame.
        """
        if self._transport is not None:
            self._transport.write(frames.ask(batch, inputs))

    def close(self, reason: str) -> None:
        """Leave, and tell the listener why. Does nothing once it has left."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.abort()
        self.lost.set()
        self._listener.left(self, reason)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER)
        self._listener.joined(self)

    def data_received(self, data: bytes) -> None:
        try:
            answers = self._decoder.feed(data)
        except BadFrame as error:
            self.close(f"{self.name} sent garbage: {error}")
            return
        for header, _ in answers:
            self._told(header)

    def connection_lost(self, error: Exception | None) -> None:
        self.close(f"{self.name} ended" if error is None else f"{self.name} ended: {error}")

    def _told(self, header: Header) -> None:
        if type(header) is Labels:
            self._listener.told(self, header.batch, [Prediction(label) for label in header.rows])
        elif type(header) is Rows:
            self._listener.told(self, header.batch, self._predictions(header))
        elif type(header) is BatchFailed:
            failed = ModelFailed(f"{self.model}: {header.error}")
            self._listener.told(self, header.batch, [failed] * header.rows)

    def _predictions(self, header: Rows) -> list[Prediction | ModelFailed]:
        return [
            ModelFailed(f"{self.model}: {header.errors[index]}") if row is None else row
            for index, row in enumerate(header.rows)
        ]
