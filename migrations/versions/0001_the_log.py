"""The log: decisions, inputs, events, what joins them, the head, snapshots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_decisions()
    _create_inputs()
    _create_events()
    _create_joins()
    _create_head()
    _create_snapshots()


def downgrade() -> None:
    for table in ("snapshots", "head", "joins", "events", "inputs", "decisions"):
        op.drop_table(table)


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("query", _Id, autoincrement=False, nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("user", sa.Text()),
        sa.Column("client", sa.Text()),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("query", name="pk_decisions"),
    )
    _create_index("ix_decisions_client", "decisions", ["application", "client"], "client IS NOT NULL", unique=True)


def _create_inputs() -> None:
    op.create_table(
        "inputs",
        sa.Column("query", _Id, autoincrement=False, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("query", name="pk_inputs"),
        sa.ForeignKeyConstraint(["query"], ["decisions.query"], name="fk_inputs_query"),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("position", _Id, autoincrement=False, nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("user", sa.Text()),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_events"),
    )
    op.create_index("ix_events_application", "events", ["application", "position"])
    _create_index("ix_events_user", "events", ["application", "user", "position"], '"user" IS NOT NULL')
    _create_index("ix_events_not_feedback", "events", ["application", "position"], "kind <> 'feedback'")


def _create_joins() -> None:
    op.create_table(
        "joins",
        sa.Column("query", _Id, autoincrement=False, nullable=False),
        sa.Column("position", _Id, nullable=False),
        sa.PrimaryKeyConstraint("query", name="pk_joins"),
        sa.ForeignKeyConstraint(["query"], ["decisions.query"], name="fk_joins_query"),
        sa.ForeignKeyConstraint(["position"], ["events.position"], name="fk_joins_position"),
    )


def _create_head() -> None:
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", _Id, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_head_single"),
        sa.PrimaryKeyConstraint("id", name="pk_head"),
    )
    op.bulk_insert(head, [{"id": 1, "position": 0}])


def _create_snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("position", _Id, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("application", "policy", "owner", name="pk_snapshots"),
    )


def _create_index(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
