"""What supervisor and workers have to know, as their parent writes it into their standard input."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from selector.decisions import Label

READY = "ready"
"""The news of a child that listens; any other news is why it could not."""


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """One replica of one model. Times in seconds, paths absolute.

    `name` is the replica's ("svm:1/0"), `model` the model's key ("svm:1"). `input` is datatype and
    shape (-1: any) of what it will be asked, None if no application asks it.
    """

    name: str
    model: str
    runtime: str
    artifact: str | None
    device: str
    options: dict[str, Any]
    classes: tuple[Label, ...] | None
    input: tuple[str, tuple[int, ...]] | None
    model_root: str
    folder: str
    threads: int
    hang_timeout: float
    start_timeout: float


class WorkerStart(Struct, frozen=True, kw_only=True):
    """A worker's first line: itself, the socket to listen on, its parent's process id and level of logging."""

    worker: WorkerSettings
    socket: str
    parent: int
    log_level: int


class SupervisorStart(Struct, frozen=True, kw_only=True):
    """The supervisor's first line. `directory` is private and holds the sockets; `control` is one of them."""

    workers: tuple[WorkerSettings, ...]
    directory: str
    control: str
    parent: int
    log_level: int
