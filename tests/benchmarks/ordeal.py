"""The life of a server that is killed over and over, and the audits between its deaths."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from random import Random

import psutil

from feedback_store.contract import Log
from feedback_store.opening import open_log
from feedback_store.recovery import recover
from serving.config import load
from serving.service import spool_folder
from tests.benchmarks.audit import Audit, some_users
from tests.benchmarks.ledger import Ledger
from tests.benchmarks.load import Connection
from tests.benchmarks.server import Server
from tests.benchmarks.traffic import USERS, Client

CONFIG = """
[server]
max_timeout_ms = 3000

[models.mostly-right]
runtime = "python"
artifact = "noop:Sum"
options = { wrong_every = 7 }

[models.often-wrong]
runtime = "python"
artifact = "noop:Sum"
options = { wrong_every = 2 }

[applications.bandit]
models = ["mostly-right", "often-wrong"]
input = { datatype = "FP64", shape = [2] }
policy = "exp3"
slo_ms = 100
default_output = -1.0
shadow_share = 0.05
cache_bytes = "64KiB"

[applications.ensemble]
models = ["mostly-right", "often-wrong"]
input = { datatype = "FP64", shape = [2] }
policy = "exp4"
slo_ms = 100
default_output = -1.0
cache_bytes = "64KiB"
"""

ROLES = {"supervisor": "serving.workers.supervisor", "worker": "serving.workers.process"}
ANEW_EVERY = 20
"""Deaths between two folds of everything from the first entry."""


class Ordeal:
    """Everything random comes from `seed`. `violations` are broken promises, in words; `starts` in seconds."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.server = Server(folder, CONFIG)
        self.config = load(folder / "windjammer.toml")
        self.ledgers = {name: Ledger() for name in self.config.applications}
        self.audits = [Audit(self.config.applications[name], ledger) for name, ledger in self.ledgers.items()]
        self.violations: list[str] = []
        self.kills: Counter[str] = Counter()
        self.starts: list[float] = []
        self._rng = Random(seed)
        self._total = 0

    async def run(self, kills: int, killed: Callable[[], object]) -> None:
        """Live through `kills` kills, then stop in order, and read everything once more."""
        try:
            while self._total < kills:
                if self.starts and self._rng.random() < 0.1:
                    await self._die_young(killed)
                else:
                    await self._live(kills, killed)
            self._start()
            self._look_at_running()
            self.server.close()
            self._look_anew()
        finally:
            self.server.close()

    async def _live(self, kills: int, killed: Callable[[], object]) -> None:
        """A life under load, to its violent end."""
        self._start()
        self._look_at_running()
        async with AsyncExitStack() as stack:
            clients = await self._clients(stack)
            acts = [asyncio.create_task(client.act()) for client in clients]
            victim = ""
            while victim != "front end":
                await asyncio.sleep(self._rng.uniform(0.05, 0.6))
                victims = ("front end", "supervisor", "worker")
                victim = "front end" if self._total + 1 >= kills else self._rng.choices(victims, (6, 1, 1))[0]
                self._count(victim, killed)
                if victim != "front end":
                    for client in clients:
                        client.shaken = True
                    await self._survive(victim)
            self.server.kill()
            await asyncio.gather(*acts)
        self._bury()

    async def _die_young(self, killed: Callable[[], object]) -> None:
        """Killed while it starts, or recovers."""
        self.server.launch()
        await asyncio.sleep(self._rng.uniform(0, 1.2) * self.starts[-1])
        self._count("front end", killed)
        self.kills["start"] += 1
        self.server.kill()
        self._bury()

    async def _survive(self, victim: str) -> None:
        """The death of another process than the front end: requests are answered all the same."""
        found = self.server.processes(ROLES[victim])
        orphans = self.server.processes(ROLES["worker"]) if victim == "supervisor" else []
        if not found:  # it was killed a moment ago, and the next one is not there yet
            return
        self.server.kill(self._rng.choice(found))
        before = sum(ledger.answers for ledger in self.ledgers.values())
        deadline = time.monotonic() + 5
        while sum(ledger.answers for ledger in self.ledgers.values()) < before + 100:
            if time.monotonic() > deadline:
                self.violations.append(f"5 s after the death of the {victim} hardly anything had been answered")
                return
            await asyncio.sleep(0.01)
        _, left = await asyncio.to_thread(psutil.wait_procs, orphans, 5)
        self.violations += [f"{process} outlived its supervisor" for process in left]

    async def _clients(self, stack: AsyncExitStack) -> list[Client]:
        clients = []
        for name, ledger in self.ledgers.items():
            for _ in range(self._rng.randint(4, 8)):
                pair = [await stack.enter_async_context(Connection(self.server.port, timeout=10)) for _ in range(2)]
                rng = Random(self._rng.getrandbits(64))
                clients.append(Client(name, (pair[0], pair[1]), ledger, self.violations, rng))
        return clients

    def _start(self) -> None:
        self.starts.append(self.server.start())

    def _bury(self) -> None:
        """Nothing is left of the dead; sometimes the log is recovered and read here, sometimes by the next to start."""
        self.server.until_gone()
        if self._rng.random() < 0.5:
            with closing(self._log()) as log:
                recover(log, spool_folder(self.config))
                self._look(log)

    def _look_at_running(self) -> None:
        """The server is up, and nobody asks it anything."""
        with closing(self._log()) as log:
            self._look(log)
        for audit in self.audits:
            self.violations += audit.running(self.server.get(f"/admin/applications/{audit.name}/state"))
        if self.kills["front end"] % ANEW_EVERY == ANEW_EVERY - 1:
            self._look_anew()

    def _look_anew(self) -> None:
        with closing(self._log()) as log:
            self._look(log)
            for audit in self.audits:
                self.violations += audit.anew(log)

    def _look(self, log: Log) -> None:
        for audit in self.audits:
            self.violations += self._findings(audit, log)

    def _findings(self, audit: Audit, log: Log) -> Iterator[str]:
        yield from audit.read(log)
        yield from audit.promises(log)
        yield from audit.recovered(log, some_users(self._rng, USERS, 2))

    def _log(self) -> Log:
        return open_log(self.config.store.url)

    def _count(self, victim: str, killed: Callable[[], object]) -> None:
        self._total += 1
        self.kills[victim] += 1
        killed()
