"""A server whose answers take their time, as a process of its own: `python -m tests.serving.api.slow_server PORT WAIT`.

It prints what happens to the service, and at the end how many queries it was asked.
"""

from __future__ import annotations

import asyncio
import sys

from serving.api.server import run
from serving.errors import ModelFailed
from serving.values import ObserveReply, PredictReply, Reply
from tests.serving.api.fakes import FakeApplication, FakeService


class SlowApplication(FakeApplication):
    def _tell(self, reply: Reply, outcome: PredictReply | ObserveReply | Exception) -> None:
        asyncio.get_running_loop().call_later(float(sys.argv[2]), reply, outcome)


class ToldService(FakeService):
    async def start(self) -> None:
        if sys.argv[2] == "broken":
            raise ModelFailed("svm:1: it does not load")
        await super().start()
        print("start", flush=True)

    async def stop(self) -> None:
        await super().stop()
        print("stop", len(self.applications["digits"].requests), flush=True)


if __name__ == "__main__":
    try:
        run(ToldService(SlowApplication(), max_timeout=float(sys.argv[3])), "127.0.0.1", int(sys.argv[1]))  # type: ignore[arg-type]
    except ModelFailed as error:
        print("failed:", error)
