"""The supervisor: `python -P -m serving.workers.supervisor`, a process of its own that owns all workers."""

from __future__ import annotations

import asyncio
import logging
import shutil
from asyncio import StreamReader, StreamWriter
from signal import SIGTERM

import msgspec

from serving.workers.announcements import Announcement, Restart, line, read_request
from serving.workers.keeper import Keeper
from serving.workers.lifeline import Lifeline, die_with
from serving.workers.settings import READY, SupervisorStart

logger = logging.getLogger(__name__)


class Supervisor:
    """Keeps the workers, and tells every front end on the control socket of those that come and go."""

    def __init__(self, start: SupervisorStart) -> None:
        self._start = start
        self._stopping = asyncio.Event()
        self._front_ends: set[StreamWriter] = set()
        self._latest: dict[str, Announcement] = {}
        self._keepers = {
            worker.name: Keeper(worker, f"{start.directory}/{index}", self._announce)
            for index, worker in enumerate(start.workers)
        }

    async def run(self, lifeline: Lifeline) -> None:
        """Run until the lifeline ends or SIGTERM comes; then no worker is left."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(SIGTERM, self._stopping.set)
        loop.add_reader(lifeline, self._orphaned, loop, lifeline)
        server = await asyncio.start_unix_server(self._front_end, self._start.control)
        lifeline.tell(READY)
        try:
            await self._keep()
        finally:
            server.close()
            for front_end in self._front_ends:
                front_end.close()
            shutil.rmtree(self._start.directory, ignore_errors=True)

    async def _keep(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(keeper.keep()) for keeper in self._keepers.values()]
            await self._stopping.wait()
            for task in tasks:
                task.cancel()

    def _orphaned(self, loop: asyncio.AbstractEventLoop, lifeline: Lifeline) -> None:
        loop.remove_reader(lifeline)
        self._stopping.set()

    def _announce(self, announcement: Announcement) -> None:
        self._latest[announcement.replica] = announcement
        for front_end in self._front_ends:
            front_end.write(line(announcement))

    def _restart(self, request: Restart) -> None:
        keeper = self._keepers.get(request.replica)
        if keeper is not None:
            keeper.restart(request.reason)

    async def _front_end(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One front end: what is, then what changes; it may ask for a restart."""
        writer.writelines(line(announcement) for announcement in self._latest.values())
        self._front_ends.add(writer)
        try:
            async for text in reader:
                self._restart(read_request(text))
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            logger.warning("a front end sent garbage, or broke off: %r", error)
        except asyncio.CancelledError:
            pass  # this process ends; of a cancelled reader Python 3.11 would log a traceback
        finally:
            self._front_ends.discard(writer)
            writer.close()


def main() -> None:
    """Supervise until the parent is gone."""
    lifeline = Lifeline()
    start = lifeline.settings(SupervisorStart)
    die_with(start.parent)
    logging.basicConfig(format="%(asctime)s %(levelname)s supervisor %(message)s", level=start.log_level)
    asyncio.run(Supervisor(start).run(lifeline))


if __name__ == "__main__":
    main()
