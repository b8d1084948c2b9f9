"""A front end that starts a fleet, has one worker hang in the model, tells so, and then does nothing more."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.serving.workers.crew import Crew, fleet, model, numbers
from tests.serving.workers.toys import Moody


async def main() -> None:
    crew = Crew()
    moody, still = model("moody", "Moody"), model("still", "Sum", replicas=2)
    await fleet([moody, still], crew, Path.cwd()).start()
    await crew.until(lambda: len(crew.up) == 3)
    await crew.ask("still:1/0", numbers(1))
    hanging = crew.begin("moody:1/0", numbers(Moody.HANG))
    print("under way", flush=True)
    await hanging


if __name__ == "__main__":
    asyncio.run(main())
