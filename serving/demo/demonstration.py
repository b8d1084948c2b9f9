"""The story from its beginning to its end: train, serve, stream, break, kill, check, tell."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvloop
from msgspec import Struct
from rich.console import Console

from feedback_store.opening import open_log
from selector.errors import InvalidSetting
from serving.config import load
from serving.demo.audit import audit
from serving.demo.claims import claims
from serving.demo.configuration import APPLICATIONS, write_configuration
from serving.demo.digits import Digits, load_digits, redrawn
from serving.demo.evidence import Audit, Evidence, Trained
from serving.demo.invitation import invite
from serving.demo.report import print_report
from serving.demo.server import Server, ServerFailed, free_port
from serving.demo.stream import Stream
from serving.demo.training import BEST, VARIANTS, train_all

FEWEST = 1500
"""Queries for each application; with fewer nobody could tell luck from learning."""


class Settings(Struct, frozen=True):
    """See `serving.demo.run`."""

    queries: int
    seed: int
    port: int | None
    folder: Path | None
    serve: bool


def demonstrate(settings: Settings) -> int:
    """The exit code: 0 if all claims hold. Whatever happens, no process is left behind."""
    if settings.queries < FEWEST:
        raise InvalidSetting(f"queries: expected at least {FEWEST}, found {settings.queries}")
    console = Console()
    with ExitStack() as stack:
        stack.enter_context(_terminable())
        folder = stack.enter_context(_folder(settings))
        held_out, trained = _train(folder, settings.seed, console)
        configuration = write_configuration(folder)
        server = Server(configuration, settings.port or free_port())
        stack.callback(server.stop)
        stream = Stream(server, folder / "models" / "broken", held_out, settings.seed, settings.queries, console)
        _run(server, stream, console)
        evidence = _evidence(stream, configuration, trained)
        code = conclude(console, evidence)
        if settings.serve:
            invite(console, server, configuration, held_out)
    return code


def conclude(console: Console, evidence: Evidence) -> int:
    """Tell what was seen; 0 if all that is claimed of it holds, else 1."""
    checked = claims(evidence)
    print_report(console, evidence, checked)
    return 0 if all(claim.holds for claim in checked) else 1


def _train(folder: Path, seed: int, console: Console) -> tuple[Digits, list[Trained]]:
    """The held-out digits, and what was trained on the others."""
    console.print("Six models learn handwritten digits")
    train, held_out = load_digits(seed)
    (folder / "models").mkdir()
    trained = []
    for model in train_all(redrawn(train, VARIANTS, seed), folder / "models", seed):
        console.print(f"  {model.model:<12} {model.runtime:<8} {model.seconds:4.1f} s", highlight=False)
        trained.append(model)
    return held_out, trained


def _run(server: Server, stream: Stream, console: Console) -> None:
    async def run() -> None:
        seconds = await server.start()
        console.print(
            f"Serving at http://127.0.0.1:{server.port} after {seconds:.1f} s, {server.processes()} processes"
        )
        await stream.run()

    try:
        uvloop.run(run())
    except (ConnectionError, TimeoutError) as error:
        raise ServerFailed(f"{error}\n{server.last_words()}") from error


def _evidence(stream: Stream, configuration: Path, trained: list[Trained]) -> Evidence:
    return Evidence(
        best=f"{BEST}:1",
        trained=trained,
        policies=APPLICATIONS,
        journal=stream.users.journal,
        weights=stream.weights,
        seconds=stream.seconds,
        batches=stream.batches,
        kill=stream.kill,
        audits=_audits(stream, configuration),
        prices={key: model.cost for key, model in load(configuration).models.items()},
    )


def _audits(stream: Stream, configuration: Path) -> list[Audit]:
    config = load(configuration)
    log = open_log(config.store.url)
    try:
        return [
            audit(
                log,
                name,
                application.policy,
                application.loss,
                stream.users.journal.of(None, name),
                stream.states[name],
            )
            for name, application in config.applications.items()
        ]
    finally:
        log.close()


@contextmanager
def _folder(settings: Settings) -> Iterator[Path]:
    """An empty folder, absolute; a temporary one is removed at the end, unless the server was to stay."""
    if settings.folder is None and not settings.serve:
        with tempfile.TemporaryDirectory(prefix="windjammer-demo-") as temporary:
            yield Path(temporary)
        return
    folder = Path(tempfile.mkdtemp(prefix="windjammer-demo-")) if settings.folder is None else settings.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InvalidSetting(f"folder: {folder} is not empty")
    yield folder


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demonstration as Ctrl-C does: the server is stopped first."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt  # not SIGINT, which a process in the background of a script may ignore

    signals = (signal.SIGTERM, signal.SIGHUP)
    previous = [signal.signal(number, interrupt) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, previous, strict=True):
            signal.signal(number, handler)
