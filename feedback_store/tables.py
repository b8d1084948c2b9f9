"""The tables. The log is `events`, in the order of `position`; each is about decisions through `joins`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# In SQLite only a column declared INTEGER can be the key of the table's own tree.
Id = BigInteger().with_variant(Integer(), "sqlite")

CLIENT_GIVEN = text("client IS NOT NULL")
USER_KNOWN = text('"user" IS NOT NULL')
NOT_FEEDBACK = text("kind <> 'feedback'")

decisions = Table(
    "decisions",
    metadata,
    Column("query", Id, primary_key=True, autoincrement=False),
    Column("application", Text, nullable=False),
    Column("user", Text),
    Column("client", Text),
    Column("payload", LargeBinary, nullable=False),
    Index(
        "ix_decisions_client",
        "application",
        "client",
        unique=True,
        sqlite_where=CLIENT_GIVEN,
        postgresql_where=CLIENT_GIVEN,
    ),
)

# Apart from the decisions, which are read again and again: an input can be many times as large.
inputs = Table(
    "inputs",
    metadata,
    Column("query", Id, ForeignKey("decisions.query"), primary_key=True, autoincrement=False),
    Column("payload", LargeBinary, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("position", Id, primary_key=True, autoincrement=False),
    Column("application", Text, nullable=False),
    Column("user", Text),
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Index("ix_events_application", "application", "position"),
    Index("ix_events_user", "application", "user", "position", sqlite_where=USER_KNOWN, postgresql_where=USER_KNOWN),
    Index(
        "ix_events_not_feedback",
        "application",
        "position",
        sqlite_where=NOT_FEEDBACK,
        postgresql_where=NOT_FEEDBACK,
    ),
)

# The primary key is what joins feedback once, whoever writes.
joins = Table(
    "joins",
    metadata,
    Column("query", Id, ForeignKey("decisions.query"), primary_key=True, autoincrement=False),
    Column("position", Id, ForeignKey("events.position"), nullable=False),
)

# One row: the position of the last event. Whoever appends holds its lock until the commit, so
# positions have no gaps and follow the order of commits.
head = Table(
    "head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True, autoincrement=False),
    Column("position", Id, nullable=False),
)

# `owner` is "population", or "user:" and the user.
snapshots = Table(
    "snapshots",
    metadata,
    Column("application", Text, primary_key=True),
    Column("policy", Text, primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("position", Id, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
