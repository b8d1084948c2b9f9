"""A second server where one runs already is told so at once, and the first one goes on."""

from __future__ import annotations

from tests.benchmarks.server import Server
from tests.end_to_end.conftest import Serve

CONFIG = """
[models.sum]
runtime = "python"
artifact = "noop:Sum"

[applications.sums]
models = ["sum"]
input = { datatype = "FP64", shape = [2] }
policy = "exp3"
"""


def test_a_port_that_is_taken_is_a_clear_error(server: Server, serve: Serve) -> None:
    second = serve(CONFIG)
    second.port = server.port
    assert _last_line(second) == f"error: cannot listen on 127.0.0.1:{server.port}: Address already in use"
    assert server.is_ready()


def test_a_store_that_another_server_uses_is_a_clear_error(server: Server, serve: Serve) -> None:
    second = serve(f'[store]\nurl = "sqlite:///{server.folder}/windjammer.db"\n{CONFIG}')
    assert _last_line(second) == (
        f"error: another server is running on {server.folder}; stop it, or give this one another store"
    )
    assert server.is_ready()


def _last_line(server: Server) -> str:
    """Of what a server says that cannot start."""
    server.launch()
    assert server.wait(30) == 1
    server.until_gone()
    return server.last_words().splitlines()[-1]
