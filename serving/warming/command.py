"""`windjammer warm-up`: check the whole file, then append it, and say what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from feedback_store.opening import open_log
from feedback_store.ownership import StoreInUse, held_alone
from feedback_store.recovery import recover
from selector.errors import WindjammerError
from selector.replay import InvalidLog
from serving.config import ApplicationConfig, Config, load
from serving.progress import progress
from serving.promotion import in_force
from serving.query_ids import QueryIds
from serving.refusal import refuse
from serving.replaying.tables import Advance, columns_of
from serving.service import spool_folder
from serving.settings import check_choice
from serving.vocabulary import vocabulary_of
from serving.warming.columns import find
from serving.warming.examples import Examples
from serving.warming.teaching import Lesson, Teacher


def run(application: str, path: Path, config: Path, mapping: str | None) -> None:
    """Teach and print; exits with 2, after one sentence on stderr, where that is not possible."""
    try:
        _run(application, path, load(config), mapping)
    except StoreInUse:
        refuse("a server runs on this log: stop it, and start it again when this is done")
    except WindjammerError as error:
        refuse(str(error))


def _run(application: str, path: Path, config: Config, mapping: str | None) -> None:
    check_choice("application", application, config.applications, "APP")
    if config.store.url == "memory://":
        raise InvalidLog("the configuration keeps its log in memory://, which no server would find again")
    configured = config.applications[application]
    names = columns_of(path)
    columns = find(mapping, names, {config.models[key].name: key for key in configured.models})
    examples = Examples(path, columns, vocabulary_of(configured.task, configured.classes), configured.loss)
    with held_alone(spool_folder(config)), progress("checking", "appending") as (checking, appending):
        if not sum(1 for _ in examples.read(checking)):
            raise InvalidLog(f"{path} has no rows")
        lesson = _teach(config, configured, examples, appending)
    _tell(configured, examples, names, lesson)


def _teach(config: Config, configured: ApplicationConfig, examples: Examples, advance: Advance) -> Lesson:
    with closing(open_log(config.store.url)) as log:
        recover(log, spool_folder(config))
        models = [config.models[key] for key in configured.models]
        ids = QueryIds(time.time, last=log.last_query())
        return Teacher(in_force(configured, log), models, log, ids, time.time).teach(examples.read(advance))


def _tell(configured: ApplicationConfig, examples: Examples, names: Sequence[str], lesson: Lesson) -> None:
    console = Console(highlight=False, soft_wrap=True)
    what = "example" if lesson.appended == 1 else "examples"
    console.print(f"[bold]{lesson.appended:,} {what} appended, {lesson.known:,} known already[/bold]")
    columns = examples.columns
    missing = [key for key in configured.models if key not in columns.outputs]
    unread = [name or "''" for name in names if name not in columns.all]
    if lesson.known:
        console.print(
            f"known: equal to rows that were appended from a file named {escape(examples.path.name)}; "
            "if they are others, give the file another name"
        )
    if missing:
        console.print(f"[yellow]![/yellow] no column has outputs of {escape(', '.join(missing))}")
    if unread:
        console.print(f"[yellow]![/yellow] not read: {escape(', '.join(unread))}")
    if examples.vocabulary is None:
        console.print(
            f"[yellow]![/yellow] the configuration lists no classes of {configured.name}, by which labels could be "
            "checked: what is written like a number was taken for one"
        )
