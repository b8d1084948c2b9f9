"""How a command says that what it was given cannot be used."""

from __future__ import annotations

from typing import NoReturn

import typer


def refuse(reason: str) -> NoReturn:
    """End with 2, after one sentence on stderr."""
    typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
    typer.echo(reason, err=True)
    raise typer.Exit(2) from None
