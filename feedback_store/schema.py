"""The schema's revisions: brought up to date by Alembic, and checked before the store is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from feedback_store.database import begin, connect, our_errors
from selector.errors import WindjammerError

_ONE_AT_A_TIME = 0x77696E646A  # "windj": the key of PostgreSQL's advisory lock on migrations


class SchemaMismatch(WindjammerError):
    """The database's schema is older or newer than this version of the program."""

    status = 503
    phrase = "Store unavailable"


def upgrade(url: str) -> None:
    """Create the tables, or bring them up to date; does nothing where they are. All in one transaction."""
    engine = connect(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def migrate(engine: Engine) -> None:
    """What `upgrade` does, with an engine."""
    _run(engine, command.upgrade, "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Go back to `revision`; "base" removes the tables and all that they hold."""
    _run(engine, command.downgrade, revision)


def prepare(engine: Engine) -> None:
    """Create the tables in an empty database; raise SchemaMismatch where they are not this version's."""
    with our_errors(), engine.connect() as connection:
        empty = not inspect(connection).get_table_names()
    if empty:
        migrate(engine)
    check(engine)


def check(engine: Engine) -> None:
    """Raise SchemaMismatch, which names the command to run, if the schema is not this version's."""
    with our_errors(), engine.connect() as connection, as_file(files("migrations")) as path:
        found = current(connection)
        scripts = ScriptDirectory.from_config(_config(str(path)))
        wanted, ours = scripts.get_current_head(), {script.revision for script in scripts.walk_revisions()}
    if found is not None and found not in ours:
        raise SchemaMismatch(
            f"the database is at revision {found}, newer than this windjammer ({wanted}): "
            "install the newer windjammer, whose `windjammer db upgrade` made it"
        )
    if found != wanted:
        raise SchemaMismatch(f"the database is at revision {found}, not {wanted}: run `windjammer db upgrade`")


def current(connection: Connection) -> str | None:
    """The revision of the database, None if it has no tables of ours."""
    return MigrationContext.configure(connection).get_current_revision()


def _run(engine: Engine, move: Callable[[Config, str], None], revision: str) -> None:
    with our_errors(), engine.connect() as connection, as_file(files("migrations")) as scripts:
        _lock(connection)
        config = _config(str(scripts))
        config.attributes["connection"] = connection
        move(config, revision)
        connection.commit()


def _lock(connection: Connection) -> None:
    begin(connection, durable=True)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})")


def _config(scripts: str) -> Config:
    config = Config()
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    return config
