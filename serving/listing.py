"""What a running server has, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from msgspec import json
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from selector.errors import WindjammerError


class ServerUnreachable(WindjammerError):
    """No server answers there, or something else does."""

    status = 502
    phrase = "Server unreachable"


def show(url: str, kind: str, as_json: bool) -> None:
    """Print what the server at `url` has of `kind`, `models` or `applications`. Raises ServerUnreachable."""
    rows = fetch(url, kind)
    if as_json:
        Console().print_json(data=rows)
    else:
        Console().print(_table(kind, rows))


def fetch(url: str, kind: str) -> list[dict[str, Any]]:
    """One mapping for each model or application. Raises ServerUnreachable."""
    address = f"{url.rstrip('/')}/admin/{kind}"
    try:
        reply = httpx.get(address, timeout=10.0)
        reply.raise_for_status()
        return json.decode(reply.content, type=list[dict[str, Any]])
    except httpx.RequestError as error:
        raise ServerUnreachable(f"no server at {url} ({error}); `windjammer serve` starts one") from error
    except (httpx.HTTPStatusError, ValueError) as error:
        raise ServerUnreachable(f"{address} is not what a Windjammer server answers: {error}") from error


def _table(kind: str, rows: Sequence[dict[str, Any]]) -> Table:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = Table(*(column.replace("_", " ") for column in columns), title=kind, box=SIMPLE_HEAD, collapse_padding=True)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    return table


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:.4g}"
        case list():
            return ", ".join(map(_cell, value))
        case dict():
            return ", ".join(f"{key} {_cell(item)}" for key, item in value.items())
    return str(value)
