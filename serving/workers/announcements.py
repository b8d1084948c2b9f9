"""What supervisor and front ends tell each other over the control socket: a JSON object a line."""

from __future__ import annotations

from msgspec import Struct, json


class Ready(Struct, frozen=True, tag="ready"):
    """The replica has made its warm-up prediction and listens on `socket`. It is a new process each time."""

    replica: str
    model: str
    socket: str


class Gone(Struct, frozen=True, tag="gone"):
    """The replica was ready, and is no more; another is on its way."""

    replica: str
    model: str
    reason: str


class Failed(Struct, frozen=True, tag="failed"):
    """The replica did not become ready; it will be tried again."""

    replica: str
    model: str
    reason: str


class Restart(Struct, frozen=True, tag="restart"):
    """A front end's request: replace this replica's process."""

    replica: str
    reason: str


Announcement = Ready | Gone | Failed

read_announcement = json.Decoder(Announcement).decode
read_request = json.Decoder(Restart).decode


def line(message: Announcement | Restart) -> bytes:
    """A message as it travels."""
    return json.encode(message) + b"\n"
