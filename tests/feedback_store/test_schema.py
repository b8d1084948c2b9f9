"""The migrations and the tables are one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from feedback_store.contract import StoreUnavailable
from feedback_store.database import connect
from feedback_store.opening import open_log
from feedback_store.reading import OF_USER
from feedback_store.schema import SchemaMismatch, check, downgrade, migrate, prepare, upgrade
from feedback_store.tables import metadata
from tests.feedback_store.samples import a_label, a_row


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres").empty())
    return f"sqlite:///{tmp_path}/empty.db"


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    engine = connect(empty_url)
    yield engine
    engine.dispose()


def indexes(engine: Engine) -> list[str]:
    """Every index as the database words it, conditions included."""
    catalog = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname",
    }[engine.dialect.name]
    with engine.connect() as connection:
        return [row[0] for row in connection.execute(text(catalog)) if "alembic" not in row[0]]


def test_the_migrations_give_the_tables_of_the_metadata(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_the_migrations_give_the_indexes_of_the_metadata(engine: Engine) -> None:
    migrate(engine)
    by_migration = indexes(engine)
    downgrade(engine, "base")
    metadata.create_all(engine)
    assert by_migration == indexes(engine)


def test_a_downgrade_removes_what_the_upgrade_made(engine: Engine) -> None:
    migrate(engine)
    downgrade(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate(engine)
    check(engine)


def test_an_upgrade_may_be_repeated_and_keeps_what_is_there(empty_url: str) -> None:
    log = open_log(empty_url)
    log.commit([a_row(1)], [a_label(1)])
    log.close()
    upgrade(empty_url)
    log = open_log(empty_url)
    assert log.head() == 1
    log.close()


def test_an_old_schema_is_refused_with_the_command_to_run(engine: Engine) -> None:
    migrate(engine)
    downgrade(engine, "base")
    with pytest.raises(SchemaMismatch, match="windjammer db upgrade"):
        prepare(engine)


def test_a_newer_schema_is_refused(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match=r"9999, newer.*windjammer db upgrade"):
        prepare(engine)


def test_a_foreign_database_is_not_touched(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE accounts (id INTEGER)"))
    with pytest.raises(SchemaMismatch, match="windjammer db upgrade"):
        prepare(engine)
    assert inspect(engine).get_table_names() == ["accounts"]


def test_a_user_is_read_by_index(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path}/log.db")
    engine = create_engine(f"sqlite:///{tmp_path}/log.db")
    statement = OF_USER.params(application="digits", owner="ann", after=10)
    sql = statement.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        plan = " ".join(row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))
    engine.dispose()
    assert "ix_events_user (application=? AND user=? AND position>?)" in plan
    assert "ix_events_not_feedback (application=? AND position>?)" in plan
    assert "SCAN events" not in plan


def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        upgrade(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    assert caught.value.__cause__ is not None
