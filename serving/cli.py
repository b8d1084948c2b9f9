"""The command `windjammer`. What a command needs is imported when it runs, so that `--help` is quick."""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selector.errors import WindjammerError

if TYPE_CHECKING:
    from serving.config import Config

EXAMPLE = """\
[models.echo]
runtime = "python"
artifact = "echo:Echo"      # the class Echo in echo.py, in the folder of this file

[applications.first]
models = ["echo"]
input = { datatype = "FP64", shape = [1] }
policy = "exp3"
"""
"""The least that can be served."""

app = typer.Typer(
    name="windjammer",
    help="Serve several models for one job, and learn online from feedback which of them to ask.",
    epilog="Start here: [bold]windjammer demo[/bold]. Then: [bold]windjammer serve windjammer.toml[/bold]",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
database = typer.Typer(help="The database of decisions and feedback.", no_args_is_help=True)
app.add_typer(database, name="db")


class LogLevel(StrEnum):
    """How much to say on stderr."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration, a TOML file.")]
Level = Annotated[LogLevel, typer.Option(help="How much to say on stderr.")]
Server = Annotated[str, typer.Option(metavar="URL", help="Where the server is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

ROLES = "Which column is what: action, reward, probability; also user, time, and context, several times."
GRID = "Settings of the policy to be tried, each with each of other grids."
OUTPUTS = "Which column is what: label, user, context (several times), MODEL, MODEL.score, MODEL.cost."
CANDIDATES = "Its probabilities: in a column prob, or in one an action; all other columns are joined to the log's."

DEFAULT_FILE = Path("windjammer.toml")
DEFAULT_SERVER = "http://127.0.0.1:8000"


def main() -> None:
    """Run the command line; whatever goes wrong in a way that we can name is one line on stderr and exit code 1."""
    try:
        app()
    except WindjammerError as error:
        typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(str(error), err=True)
        sys.exit(1)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"windjammer {version('windjammer')}")
        raise typer.Exit


@app.callback()
def windjammer(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options that stand before any command."""


@app.command(epilog="Example: [bold]windjammer serve windjammer.toml --port 8080[/bold]")
def serve(
    config: ConfigFile = DEFAULT_FILE,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8000,
    log_level: Level = LogLevel.info,
) -> None:
    """Serve the applications in CONFIG until Ctrl-C or SIGTERM.

    Then no more queries are taken, those under way are answered,
    everything is written, and the workers end.
    """
    _log_to_stderr(log_level)
    configuration = _load(config)
    # At the end: a user's own package called `serving` must not hide ours.
    sys.path.append(str(configuration.folder))
    from serving.api.server import run
    from serving.service import Service

    run(Service(configuration), host, port)


@app.command(epilog="Example: [bold]windjammer demo --serve[/bold]")
def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Leave the server up at the end.")] = False,
    queries: Annotated[int, typer.Option(help="How many images each policy gets.")] = 5000,
    seed: Annotated[int, typer.Option(help="Another seed draws other images.")] = 0,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="any that is free")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Empty or new folder to work in, kept.", show_default="a temporary one")
    ] = None,
    log_level: Level = LogLevel.warning,
) -> None:
    """Show the whole loop on handwritten digits, in at most three minutes.

    Trains six models, serves them, streams images at six policies,
    breaks the best model for a while, kills the server and starts it again.
    Exits with 1 if anything that it claims does not hold.
    """
    _log_to_stderr(log_level)
    from serving.demo import run

    raise typer.Exit(run(queries=queries, seed=seed, port=port, folder=folder, serve=serve))


@app.command(epilog="Example: [bold]windjammer replay --app spam --policy ensemble --compare thompson[/bold]")
def replay(
    config: ConfigFile = DEFAULT_FILE,
    application: Annotated[str | None, typer.Option("--app", help="Replay the log of this application.")] = None,
    policy: Annotated[str | None, typer.Option(help="What to replay.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the policy.")
    ] = None,
    grid: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE,VALUE,...", help=GRID)] = None,
    compare: Annotated[list[str] | None, typer.Option(metavar="POLICY", help="Another one; several may be.")] = None,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="Or a log: .csv, .csv.gz, .parquet.")] = None,
    columns: Annotated[str | None, typer.Option("--map", metavar="ROLE=COLUMN,...", help=ROLES)] = None,
    candidate: Annotated[list[str] | None, typer.Option(metavar="NAME=FILE", help=CANDIDATES)] = None,
    estimator: Annotated[list[str] | None, typer.Option(help="Of ips, snips, dr, ...; all if none is named.")] = None,
    confidence: Annotated[float, typer.Option(help="Of every interval.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Of resampling, and of choices.")] = 0,
    by: Annotated[str | None, typer.Option(help="Also by user, day, models, or by this feature or column.")] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Say which policy should be adopted, if any.")] = False,
    margin: Annotated[float, typer.Option(min=0.0, help="By which its lower bound must beat what is in force.")] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", help="Adopt it.")] = False,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with plots (.html).")] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate what would have happened with another policy, on an application's own log or on any (--log)."""
    from serving.replaying.command import run
    from serving.replaying.request import Request

    request = Request(
        config=config,
        app=application,
        policy=policy,
        settings=settings or (),
        grid=grid or (),
        compare=compare or (),
        log=log,
        map=columns,
        candidates=candidate or (),
        estimators=estimator or (),
        confidence=confidence,
        seed=seed,
        by=by,
        report=report,
        as_json=as_json,
        promote=promote,
        margin=margin,
        yes=yes,
    )
    run(request)


@app.command(
    "warm-up", epilog="Example: [bold]windjammer warm-up digits outputs.csv --map label=truth,svm=svm_said[/bold]"
)
def warm_up(
    application: Annotated[str, typer.Argument(metavar="APP", help="The application that is to learn.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Labelled outputs: .csv, .csv.gz, .parquet.")],
    config: Annotated[Path, typer.Option(help="The configuration, a TOML file.")] = DEFAULT_FILE,
    columns: Annotated[str | None, typer.Option("--map", metavar="ROLE=COLUMN,...", help=OUTPUTS)] = None,
) -> None:
    """Have APP learn from recorded outputs of its models before it meets live traffic.

    FILE has a row for each input. In columns named like the models stands
    what they said, an empty cell for one that said nothing; in label, what
    was right. Where there are such columns: in MODEL.score how sure it was
    (0 to 1), in MODEL.cost what that took, in user who asked. Say:

    label,svm,svm.score,cnn
    7,7,0.93,7
    2,3,0.41,2

    Other names are given by --map. Each row becomes an example in APP's log,
    from which any policy has learned at the next start; a row that the log
    has already, of a file of that name, is not appended again. With a mistake
    in FILE nothing is. No server may be running on the log.
    """
    from serving.warming.command import run

    run(application, file, config, columns)


@app.command(epilog="Example: [bold]windjammer models --url http://127.0.0.1:8000[/bold]")
def models(url: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List the models of a running server."""
    from serving.listing import show

    show(url, "models", as_json)


@app.command(epilog="Example: [bold]windjammer applications --json[/bold]")
def applications(url: Server = DEFAULT_SERVER, as_json: AsJson = False) -> None:
    """List the applications of a running server."""
    from serving.listing import show

    show(url, "applications", as_json)


@database.command(epilog="Example: [bold]windjammer db upgrade windjammer.toml[/bold]")
def upgrade(
    config: ConfigFile = DEFAULT_FILE,
    url: Annotated[str | None, typer.Option(help="A database's URL, instead of the one in CONFIG.")] = None,
    log_level: Level = LogLevel.info,
) -> None:
    """Bring the database to the newest schema. Safe to repeat."""
    _log_to_stderr(log_level)
    from feedback_store.schema import upgrade as upgrade_schema

    upgrade_schema(_load(config).store.url if url is None else url)
    typer.echo("the database has the newest schema")


def _load(path: Path) -> Config:
    from serving.config import load
    from serving.settings import ConfigError

    if not path.exists():
        raise ConfigError(f"no file {path}. The least that can be served:\n\n{EXAMPLE}")
    return load(path)


def _log_to_stderr(level: LogLevel) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    for library in ("alembic", "httpx"):  # at level info they tell each step that they take
        logging.getLogger(library).setLevel(max(logging.WARNING, logging.getLogger().level))


if __name__ == "__main__":
    main()
