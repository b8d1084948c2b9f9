"""How fleets begin, fail to begin, and end: nothing is left behind, whatever is killed."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from serving.config import ModelConfig
from serving.errors import ModelFailed
from serving.workers.sockets import socket_folder
from tests.serving.workers.crew import FOLDER, Crew, all_gone, fleet, model, numbers, supervisors, workers_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the directories of sockets are made. Their paths have to be short."""
    with tempfile.TemporaryDirectory() as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        yield Path(place)


def folders_in(place: Path) -> list[Path]:
    """Those of fleets that have not been removed."""
    return [path for path in place.glob("windjammer-*/*") if path.is_dir()]


async def failure(*models: ModelConfig) -> str:
    """Why a fleet of these models does not start."""
    with pytest.raises(ModelFailed) as failed:
        await fleet(models, Crew()).start()
    return str(failed.value)


@pytest.mark.parametrize(("level", "told"), [(logging.INFO, True), (logging.WARNING, False)])
def test_workers_log_as_much_as_the_front_end_does(
    level: int, told: bool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def tell() -> None:
        small = fleet([model("sum", "Sum")], Crew())
        await small.start()
        await small.stop()

    with caplog.at_level(level):
        asyncio.run(tell())
    assert ("INFO sum:1/0 ready" in capfd.readouterr().err) == told


def test_a_supervisor_that_is_told_to_end_has_nothing_to_complain_of(capfd: pytest.CaptureFixture[str]) -> None:
    async def tell() -> None:
        crew = Crew()
        starting = asyncio.create_task(failure(model("sum", "Sum")))
        await crew.until(lambda: supervisors() and workers_of(supervisors()[0]))
        supervisors()[0].terminate()
        assert await starting == "the supervisor died"

    asyncio.run(tell())
    assert "Traceback" not in capfd.readouterr().err


def test_a_start_that_takes_long_says_what_it_waits_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.workers.fleet.HINT_EVERY", 0.01)

    async def tell() -> None:
        small = fleet([model("sum", "Sum")], Crew())
        await small.start()
        await small.stop()

    with caplog.at_level(logging.INFO):
        asyncio.run(tell())
    assert "not ready after 0 s: sum:1" in caplog.text


def test_a_fleet_that_stops_leaves_nothing_behind(sockets: Path) -> None:
    crew = Crew()

    async def tell() -> list[psutil.Process]:
        small = fleet([model("sum", "Sum"), model("moody", "Moody")], crew)
        await small.start()
        (directory,) = folders_in(sockets)
        assert directory.stat().st_mode & 0o777 == 0o700
        (supervisor,) = supervisors()
        workers = workers_of(supervisor)
        await small.stop()
        return [supervisor, *workers]

    processes = asyncio.run(tell())
    assert len(processes) == 3
    assert not any(process.is_running() for process in processes)
    assert crew.up == {}
    assert len(crew.departures) == 2
    assert folders_in(sockets) == []


def test_a_fleet_of_no_models_starts() -> None:
    async def tell() -> None:
        empty = fleet([], Crew())
        await empty.start()
        await empty.stop()

    asyncio.run(tell())


def test_a_failed_deploy_says_why_and_leaves_nothing_behind(sockets: Path) -> None:
    async def tell() -> None:
        missing = ModelConfig(name="missing", runtime="python", artifact="nowhere:Model")
        assert (
            await failure(model("sum", "Sum"), missing) == "missing:1: ModuleNotFoundError: No module named 'nowhere'"
        )

    asyncio.run(tell())
    assert supervisors() == []
    assert folders_in(sockets) == []


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"toy": "Unloadable", "options": {"how": "raise"}}, "broken:1: ValueError: no weights"),
        ({"toy": "Unloadable", "options": {"how": "exit"}}, "broken:1: exited with code 7"),
        (
            {"toy": "Unloadable", "options": {"how": "hang"}, "start_timeout": 0.5},
            "broken:1: was not ready within 0.5 s",
        ),
        ({"toy": "ZeroHater"}, "broken:1: ZeroDivisionError: float division by zero"),
    ],
)
def test_a_model_that_cannot_be_loaded_or_warmed_up_is_told_from_its_worker(
    settings: dict[str, object], why: str
) -> None:
    toy = str(settings.pop("toy"))
    assert asyncio.run(failure(model("broken", toy, **settings))) == why


def test_an_artifact_outside_the_model_root_is_not_loaded() -> None:
    outside = ModelConfig(name="outside", runtime="sklearn", artifact="../runtimes/__init__.py")
    assert "outside the model root" in asyncio.run(failure(outside))


@pytest.fixture
def front_end(tmp_path: Path, sockets: Path) -> Iterator[subprocess.Popen[str]]:
    """A front end in a folder of its own, where a package named like ours lies in wait."""
    shutil.copy(FOLDER / "toys.py", tmp_path)
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "__init__.py").write_text("raise RuntimeError('the wrong package')")
    command = (sys.executable, "-P", "-m", "tests.serving.workers.front_end")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(sockets)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "under way\n"
        yield process


def test_a_killed_front_end_leaves_no_orphan(front_end: subprocess.Popen[str]) -> None:
    (supervisor,) = supervisors(front_end.pid)
    workers = workers_of(supervisor)
    assert len(workers) == 3  # one hangs in its model
    workers[-1].suspend()
    supervisor.suspend()
    front_end.kill()
    assert all_gone([supervisor, *workers])


def test_the_sockets_of_a_killed_front_end_are_swept_by_the_next(
    front_end: subprocess.Popen[str], sockets: Path
) -> None:
    with socket_folder():
        assert len(folders_in(sockets)) == 2
    (supervisor,) = supervisors(front_end.pid)
    processes = [supervisor, *workers_of(supervisor)]
    front_end.kill()
    front_end.wait()
    assert all_gone(processes)
    with socket_folder() as mine:
        assert folders_in(sockets) == [mine.parent]
    assert folders_in(sockets) == []


def test_a_place_that_others_may_enter_is_refused(sockets: Path) -> None:
    with socket_folder() as mine:
        mine.parent.parent.chmod(0o755)
    with pytest.raises(PermissionError, match="open to other users"), socket_folder():
        pass


def test_ctrl_c_ends_a_front_end_with_all_its_processes(front_end: subprocess.Popen[str]) -> None:
    (supervisor,) = supervisors(front_end.pid)
    workers = workers_of(supervisor)
    for process in (*workers, supervisor):
        process.send_signal(signal.SIGINT)  # a terminal tells the whole group
    front_end.send_signal(signal.SIGINT)
    assert all_gone([supervisor, *workers])


def test_a_dead_worker_is_reaped(tmp_path: Path) -> None:
    async def tell() -> None:
        crew = Crew()
        small = fleet([model("moody", "Moody")], crew)
        await small.start()
        (supervisor,) = supervisors()
        for count in range(1, 3):
            (pid,) = await crew.ask("moody:1/0", numbers(0))
            os.kill(int(pid), signal.SIGKILL)
            await crew.until_back("moody:1/0", departures=count)
        assert [child.status() for child in supervisor.children()].count(psutil.STATUS_ZOMBIE) == 0
        await small.stop()

    asyncio.run(tell())
