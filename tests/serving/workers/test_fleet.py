"""Stories about real worker processes: what they answer, how they end, and who takes their place."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from typing import Any

import psutil
import pytest
import uvloop

from serving.errors import ModelFailed
from serving.values import Input
from serving.workers.fleet import Fleet
from tests.serving.workers.crew import Crew, all_gone, fleet, model, numbers, supervisors, workers_of
from tests.serving.workers.toys import Moody

MODELS = [
    model("sum", "Sum", replicas=2),
    model("moody", "Moody", hang_timeout=1.0),
    model("diary", "Diary", device="cpu", options={"threads": 2, "size": 3}),
]


class Story:
    """The fleet that all stories share, and its crew. It runs while a story does."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.crew = Crew()
        self.fleet: Fleet = fleet(MODELS, self.crew)
        self.run = runner.run
        self.run(self.fleet.start())

    def told(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a story; then all replicas are up again."""
        self.run(coroutine)
        self.run(self.crew.until(lambda: len(self.crew.up) == 4))
        self.crew.departures.clear()


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        story = Story(runner)
        story.run(story.crew.until(lambda: len(story.crew.up) == 4))
        yield story
        story.run(story.fleet.stop())


def test_every_input_gets_its_answer(story: Story) -> None:
    async def tell() -> None:
        assert await story.crew.ask("sum:1/0", numbers(1, 2, 3)) == [1, 2, 3]
        assert await story.crew.ask("sum:1/1", numbers(7)) == [7]
        batch = [Input("FP32", (784,), bytes(4 * 784))] * 300  # more than a socket holds
        assert await story.crew.ask("sum:1/0", batch) == [0] * 300

    story.told(tell())


def test_batches_in_flight_are_answered_in_order(story: Story) -> None:
    async def tell() -> None:
        batches = [story.crew.begin("sum:1/0", numbers(value)) for value in range(10)]
        assert [row.output for (row,) in await asyncio.gather(*batches)] == list(range(10))  # type: ignore[union-attr]

    story.told(tell())


def test_a_model_is_found_warmed_up_and_given_its_options_threads_and_device(story: Story) -> None:
    async def tell() -> None:
        (told,) = await story.crew.ask("diary:1/0", [Input("BYTES", (), b"text")])
        assert told == "2 b'text' cpu {'size': 3} 2 last"

    story.told(tell())


@pytest.mark.parametrize(
    ("mood", "outcome"),
    [
        (Moody.RAISE, ["moody:1: LookupError: not today"] * 2),
        (Moody.FEW, ["moody:1: ValueError: returned 1 rows for 2 inputs"] * 2),
        (Moody.MANY, ["moody:1: ValueError: returned 3 rows for 2 inputs"] * 2),
    ],
)
def test_a_model_that_fails_a_batch_takes_the_next(story: Story, mood: int, outcome: list[str]) -> None:
    async def tell() -> None:
        (before,) = await story.crew.ask("moody:1/0", numbers(Moody.FINE))
        assert await story.crew.ask("moody:1/0", numbers(mood, 0)) == outcome
        assert await story.crew.ask("moody:1/0", numbers(Moody.FINE)) == [before]

    story.told(tell())


@pytest.mark.parametrize(("mood", "why"), [(Moody.NAN, "not a finite number"), (Moody.BYTES, "found bytes")])
def test_a_bad_row_leaves_the_others(story: Story, mood: int, why: str) -> None:
    async def tell() -> None:
        first, second = await story.crew.ask("moody:1/0", numbers(mood, 0))
        assert isinstance(first, int)
        assert why in str(second)

    story.told(tell())


def test_a_worker_killed_in_mid_batch_leaves_once_and_is_replaced(story: Story) -> None:
    async def tell() -> None:
        (pid,) = await story.crew.ask("moody:1/0", numbers(Moody.FINE))
        batch = story.crew.begin("moody:1/0", numbers(Moody.HANG))
        os.kill(int(pid), signal.SIGKILL)
        with pytest.raises(ModelFailed):
            await batch
        assert await story.crew.ask("sum:1/0", numbers(5)) == [5]  # siblings go on
        await story.crew.until_back("moody:1/0", departures=1)
        assert await story.crew.ask("moody:1/0", numbers(Moody.FINE)) != [pid]
        assert [name for name, _ in story.crew.departures] == ["moody:1/0"]

    story.told(tell())


def test_a_worker_that_ends_itself_is_replaced(story: Story) -> None:
    async def tell() -> None:
        with pytest.raises(ModelFailed):
            await story.crew.begin("moody:1/0", numbers(Moody.EXIT))
        await story.crew.until_back("moody:1/0", departures=1)

    story.told(tell())


def test_a_model_that_hangs_is_found_out_and_replaced(story: Story) -> None:
    async def tell() -> None:
        (pid,) = await story.crew.ask("moody:1/0", numbers(Moody.FINE))
        with pytest.raises(ModelFailed, match="moody:1/0 did not answer for 1 s"):
            await story.crew.begin("moody:1/0", numbers(Moody.HANG))
        await story.crew.until_back("moody:1/0", departures=1)
        await story.crew.until(lambda: not psutil.pid_exists(int(pid)))

    story.told(tell())


def test_a_stopped_worker_counts_as_hanging(story: Story) -> None:
    async def tell() -> None:
        (pid,) = await story.crew.ask("moody:1/0", numbers(Moody.FINE))
        os.kill(int(pid), signal.SIGSTOP)
        await story.crew.until_back("moody:1/0", departures=1)
        assert story.crew.departures == [("moody:1/0", "moody:1/0 did not answer for 1 s")]
        assert await story.crew.ask("moody:1/0", numbers(Moody.FINE)) != [pid]

    story.told(tell())


def test_a_replica_can_be_replaced_on_demand(story: Story) -> None:
    async def tell() -> None:
        story.fleet.restart("sum:1/0", "is out of favour")
        await story.crew.until_back("sum:1/0", departures=1)
        assert story.crew.departures == [("sum:1/0", "sum:1/0 is out of favour")]
        assert await story.crew.ask("sum:1/0", numbers(5)) == [5]

    story.told(tell())


def test_ctrl_c_in_the_terminal_is_for_the_front_end_alone(story: Story) -> None:
    async def tell() -> None:
        (pid,) = await story.crew.ask("moody:1/0", numbers(Moody.FINE))
        (supervisor,) = supervisors()
        for process in (supervisor, *workers_of(supervisor)):
            process.send_signal(signal.SIGINT)
        assert await story.crew.ask("moody:1/0", numbers(Moody.FINE)) == [pid]
        assert story.crew.departures == []

    story.told(tell())


def test_a_broken_connection_is_made_again(story: Story) -> None:
    async def tell() -> None:
        (pid,) = await story.crew.ask("moody:1/0", numbers(Moody.FINE))
        story.crew.up["moody:1/0"].close("the front end broke it off")
        await story.crew.until_back("moody:1/0", departures=1)
        assert await story.crew.ask("moody:1/0", numbers(Moody.FINE)) == [pid]

    story.told(tell())


def test_a_killed_supervisor_takes_its_workers_along_and_is_replaced(story: Story) -> None:
    async def tell() -> None:
        (supervisor,) = supervisors()
        workers = workers_of(supervisor)
        workers[0].suspend()  # one that would never see the end of its lifeline
        supervisor.kill()
        await story.crew.until(lambda: len(story.crew.departures) == 4)
        assert all_gone(workers)
        await story.crew.until(lambda: len(story.crew.up) == 4)
        assert await story.crew.ask("sum:1/1", numbers(5)) == [5]

    story.told(tell())


def test_a_supervisor_told_to_end_ends_its_workers(story: Story) -> None:
    async def tell() -> None:
        (supervisor,) = supervisors()
        workers = workers_of(supervisor)
        supervisor.terminate()
        await story.crew.until(lambda: len(story.crew.departures) == 4)
        assert all_gone(workers)

    story.told(tell())
