"""Real servers in folders of their own; each is gone when its test, or its file of tests, is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.benchmarks.server import Server

Serve = Callable[[str], Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Make servers, each with its own folder, from the text of a configuration; the test starts them."""
    with ExitStack() as stack:

        def make(config: str) -> Server:
            return stack.enter_context(closing(Server(tmp_path / f"server-{len(list(tmp_path.iterdir()))}", config)))

        yield make


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a file, on the file's CONFIG."""
    folder = tmp_path_factory.mktemp("server")
    with closing(Server(folder, request.module.CONFIG)) as running:
        running.start()
        yield running
