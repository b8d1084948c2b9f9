"""Many rows in one statement.

A driver takes the interpreter's lock back after each statement, and while an event loop is busy
that takes milliseconds: row by row, a writer thread beside a busy loop gets some hundred rows a second
into SQLite; a few hundred rows a statement, a hundred thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

Insert = Callable[[Connection, Sequence[tuple[Any, ...]]], None]
"""Inserts rows (values in the order of the table's columns) and ignores those that some unique key rules out."""

SIZES = (512, 64, 8, 1)
"""Rows in one SQLite statement: few texts, each prepared once by the driver."""


def insert_into(table: Table, dialect: Dialect) -> Insert:
    """The statement for `table`, compiled once."""
    return _by_values(table, dialect) if dialect.name == "sqlite" else _by_arrays(table, dialect)


def _by_values(table: Table, dialect: Dialect) -> Insert:
    one = str(sqlite.insert(table).on_conflict_do_nothing().compile(dialect=dialect))
    values = f"({', '.join('?' * len(table.columns))})"
    texts = {size: one.replace(values, ", ".join([values] * size)) for size in SIZES}

    def insert(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        start = 0
        for size, text in texts.items():
            while len(rows) - start >= size:
                group = rows[start : start + size]
                connection.exec_driver_sql(text, tuple(chain.from_iterable(group)))
                start += size

    return insert


def _by_arrays(table: Table, dialect: Dialect) -> Insert:
    names = [column.name for column in table.columns]
    arrays = [bindparam(column.name, type_=postgresql.ARRAY(column.type)) for column in table.columns]
    rows_of_arrays = select(func.unnest(*arrays).table_valued(*names).render_derived(name="new"))
    statement = postgresql.insert(table).from_select(names, rows_of_arrays).on_conflict_do_nothing()
    text = str(statement.compile(dialect=dialect))

    def insert(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            connection.exec_driver_sql(text, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))

    return insert
