"""Snapshots in SQL: one for each fold, the newest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from feedback_store.contract import Snapshot
from feedback_store.tables import snapshots

_NEWEST = select(snapshots.c.position, snapshots.c.data).where(
    snapshots.c.application == bindparam("application"),
    snapshots.c.policy == bindparam("policy"),
    snapshots.c.owner == bindparam("owner"),
)


def save(connection: Connection, new: Sequence[Snapshot]) -> None:
    """Write each where no snapshot of its fold stands at the same or a later position."""
    if new:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        statement: Any = insert(snapshots)
        newer = {"position": statement.excluded.position, "data": statement.excluded.data}
        upsert = statement.on_conflict_do_update(
            index_elements=snapshots.primary_key.columns,
            set_=newer,
            where=snapshots.c.position < statement.excluded.position,
        )
        connection.execute(upsert, [_values(snapshot) for snapshot in new])


def find(connection: Connection, application: str, user: str | None, policy: str) -> Snapshot | None:
    """The newest snapshot of that fold."""
    fold = {"application": application, "policy": policy, "owner": _owner(user)}
    row = connection.execute(_NEWEST, fold).one_or_none()
    return None if row is None else Snapshot(application, user, policy, row.position, bytes(row.data))


def _values(snapshot: Snapshot) -> dict[str, object]:
    return {
        "application": snapshot.application,
        "policy": snapshot.policy,
        "owner": _owner(snapshot.user),
        "position": snapshot.position,
        "data": snapshot.data,
    }


def _owner(user: str | None) -> str:
    return "population" if user is None else f"user:{user}"
