"""A worker's sockets: several front ends, served fairly by one thread."""

from __future__ import annotations

import logging
import selectors
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

from serving.workers import frames
from serving.workers.frames import Ask, BadFrame, Decoder, Ping, Pong

logger = logging.getLogger(__name__)

_BUFFER = 1 << 20
_UNREAD = 1 << 28
"""Bytes of answers that a front end may leave unread before it is taken for dead."""

Answer = Callable[[Ask, bytearray], bytes]


class _HasFileno(Protocol):
    def fileno(self) -> int: ...


class Connection:
    """One front end: what it asked and did not get yet, what it got and did not read yet.

    `blocked` is whether somebody waits for the socket to take more.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self.sock = sock
        self.asked: deque[tuple[Ask, bytearray]] = deque()
        self.unsent = bytearray()
        self.blocked = False
        self._decoder = Decoder()

    def receive(self, buffer: memoryview) -> None:
        """Take in what has arrived. Pings are answered at once. Raises ConnectionError at its end, BadFrame."""
        count = self.sock.recv_into(buffer)
        if not count:
            raise ConnectionError("closed")
        for header, body in self._decoder.feed(buffer[:count]):
            if isinstance(header, Ask):
                self.asked.append((header, body))
            elif isinstance(header, Ping):
                self.send(frames.encode(Pong()))
            else:
                raise BadFrame(f"a front end does not send {type(header).__name__}")

    def send(self, data: bytes | bytearray) -> None:
        """Send what the kernel takes now; the rest waits in `unsent`. Raises ConnectionError."""
        if self.unsent and data is not self.unsent:
            self.unsent += data
            data = self.unsent
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        self.unsent = bytearray(data[sent:])
        if len(self.unsent) > _UNREAD:
            raise ConnectionError("reads too slowly")


class Connections:
    """All front ends of one worker. Between any two batches everyone's news is read, and pings are answered."""

    def __init__(self, listener: socket.socket, lifeline: _HasFileno, answer: Answer) -> None:
        self._listener = listener
        self._lifeline = lifeline
        self._answer = answer
        self._selector = selectors.DefaultSelector()
        self._waiting: deque[Connection] = deque()
        self._buffer = memoryview(bytearray(_BUFFER))

    def serve(self) -> None:
        """Serve until the lifeline ends; then all connections are closed."""
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._lifeline, selectors.EVENT_READ)
        while self._hear():
            if self._waiting:
                self._answer_one()
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                self._drop(key.data, "the worker ends")
        self._selector.close()

    def _hear(self) -> bool:
        """Take in all news, waiting for some if there is nothing else to do; False at the lifeline's end."""
        for key, events in self._selector.select(0 if self._waiting else None):
            if key.fileobj is self._lifeline:
                return False
            if key.fileobj is self._listener:
                self._accept()
            else:
                self._attend(key.data, events)
        return True

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:  # it went away at once, or we are out of descriptors for a while
            logger.warning("accept: %s", error)
            return
        self._selector.register(sock, selectors.EVENT_READ, Connection(sock))

    def _attend(self, connection: Connection, events: int) -> None:
        idle = not connection.asked
        try:
            if events & selectors.EVENT_WRITE:
                connection.send(connection.unsent)
            if events & selectors.EVENT_READ:
                connection.receive(self._buffer)
            self._watch(connection)
        except (OSError, BadFrame) as error:
            self._drop(connection, error)
            return
        if idle and connection.asked:
            self._waiting.append(connection)

    def _answer_one(self) -> None:
        """One batch of the front end whose turn it is; then it goes to the end of the row."""
        connection = self._waiting.popleft()
        if not connection.asked:
            return
        ask, body = connection.asked.popleft()
        reply = self._answer(ask, body)
        try:
            connection.send(reply)
            self._watch(connection)
        except OSError as error:
            self._drop(connection, error)
            return
        if connection.asked:
            self._waiting.append(connection)

    def _watch(self, connection: Connection) -> None:
        """Ask to hear when the socket takes more, exactly while there is more."""
        blocked = bool(connection.unsent)
        if blocked != connection.blocked:
            connection.blocked = blocked
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if blocked else 0)
            self._selector.modify(connection.sock, events, connection)

    def _drop(self, connection: Connection, reason: object) -> None:
        """Forget a front end, with all that it asked."""
        logger.info("a front end is gone: %s", reason)
        connection.asked.clear()
        self._selector.unregister(connection.sock)
        connection.sock.close()
