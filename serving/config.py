"""The configuration: `windjammer.toml` as frozen, typed values. Times are in seconds, sizes in bytes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from selector.certainty import Certainty
from selector.confidence import Threshold
from selector.decisions import Label
from selector.fold import Fold
from selector.interval import Interval
from selector.losses import Loss, ZeroOne
from selector.policy import Policy, Task
from serving.checks import check_application_name, check_artifact, check_distinct, check_name
from serving.choices import LOSSES, read_loss, read_policy
from serving.inputs import DATATYPES, InputSpec
from serving.runtimes import RUNTIMES
from serving.settings import ConfigError, Table, check_choice, check_keys, convert, keys, read, required, tables_of
from serving.units import Duration, Milliseconds, Size

Share = Annotated[float, Meta(ge=0, le=1)]
PositiveShare = Annotated[float, Meta(gt=0, le=1)]
Part = Annotated[float, Meta(gt=0, lt=1)]
Function = Annotated[str, Meta(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*$")]
Count = Annotated[int, Meta(ge=1)]


class ServerConfig(Struct, frozen=True, kw_only=True):
    """`[server]`: `model_root` is absolute; the file may name it relative to its own folder."""

    body_limit: Size = 8 * 2**20
    max_timeout: Milliseconds = field(default=10.0, name="max_timeout_ms")
    model_root: Path = Path("models")


class StoreConfig(Struct, frozen=True, kw_only=True):
    """`[store]`: where decisions and events are logged. The path of an SQLite file is absolute, like `model_root`."""

    url: str = "sqlite:///windjammer.db"


class ModelConfig(Struct, frozen=True, kw_only=True):
    """`[models.NAME]`: one version of a model, and the worker processes that run it."""

    name: str
    version: str = "1"
    runtime: str
    artifact: str | None = None
    replicas: Count = 1
    device: str = "auto"
    options: dict[str, Any] = {}
    cost: Annotated[float, Meta(ge=0)] = 1.0
    queue: Count = 4096
    classes: tuple[Label, ...] | None = None
    hang_timeout: Milliseconds = field(default=10.0, name="hang_timeout_ms")
    start_timeout: Milliseconds = field(default=120.0, name="start_timeout_ms")

    @property
    def key(self) -> str:
        """`name:version`: what the model is called everywhere but in the file."""
        return f"{self.name}:{self.version}"


class ApplicationConfig(Struct, frozen=True, kw_only=True):
    """`[applications.NAME]`: one job, the models that can do it (their keys, sorted), and how to choose among them."""

    name: str
    models: tuple[str, ...]
    input: InputSpec
    task: Task = "classification"
    classes: tuple[Label, ...] | None = None
    policy: Policy[Any]
    loss: Loss = ZeroOne()
    slo: Milliseconds = field(default=0.02, name="slo_ms")
    default_output: Label | None = None
    target_error: Part | None = None
    when_unsure: Literal["answer", "default"] = "answer"
    coverage: Part | None = None
    shadow_share: Share = 0.0
    quarantine: bool = True
    probing_share: PositiveShare = 0.02
    adoption: bool = True
    user: Function | None = None
    features: Function | None = None
    blend: Function | None = None
    user_influence: Annotated[float, Meta(ge=0.001, le=1)] = 1.0
    log_inputs: bool = False
    cache_bytes: Size = 64 * 2**20
    cache_ttl: Duration = 600.0

    @property
    def fold(self) -> Fold:
        """What the application's log is folded with."""
        threshold = None if self.target_error is None else Threshold(target_error=self.target_error)
        interval = None if self.coverage is None else Interval(coverage=self.coverage)
        certainty = Certainty(threshold=threshold, interval=interval) if threshold or interval else None
        return Fold(policy=self.policy, loss=self.loss, certainty=certainty, influence=self.user_influence)


class Config(Struct, frozen=True, kw_only=True):
    """All of one file, checked. `models` are by key (`name:version`); `folder` is the file's, absolute."""

    server: ServerConfig
    store: StoreConfig
    models: dict[str, ModelConfig]
    applications: dict[str, ApplicationConfig]
    folder: Path


def load(path: Path) -> Config:
    """The configuration in the file at `path`, checked. Raises ConfigError, whose message begins with the path."""
    try:
        return parse(path.read_text(encoding="utf-8"), path.resolve().parent)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (ConfigError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def parse(text: str, folder: Path) -> Config:
    """The configuration in `text`, as if it stood in a file in `folder`. Raises ConfigError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error
    check_keys(tables, ("server", "store", "models", "applications"), "top level")
    server = _server(tables.get("server", {}), folder)
    models = _models(tables.get("models", {}))
    return Config(
        server=server,
        store=_store(tables.get("store", {}), folder),
        models={model.key: model for model in models.values()},
        applications=_applications(tables.get("applications", {}), models, server),
        folder=folder,
    )


def _server(table: Table, folder: Path) -> ServerConfig:
    check_keys(table, keys(ServerConfig), "[server]")
    root = convert(table.get("model_root", "models"), str, "[server] model_root")
    return read(ServerConfig, table, "[server]", model_root=folder / root)


def _store(table: Table, folder: Path) -> StoreConfig:
    store = read(StoreConfig, table, "[store]")
    scheme, sqlite, path = store.url.partition("sqlite:///")
    return StoreConfig(url=f"{sqlite}{folder / path}") if sqlite and not scheme else store


def _models(tables: object) -> dict[str, ModelConfig]:
    return {name: _model(name, table) for name, table in tables_of(tables, "[models]")}


def _model(name: str, table: Table) -> ModelConfig:
    where = f"[models.{name}]"
    check_name(name, where)
    model = read(ModelConfig, table, where, name=name)
    check_name(model.version, f"{where} version")
    check_choice("runtime", model.runtime, RUNTIMES, f"{where} runtime")
    check_artifact(model.runtime, model.artifact, f"{where} artifact")
    check_distinct(model.classes, f"{where} classes")
    return model


def _applications(
    tables: object, models: Mapping[str, ModelConfig], server: ServerConfig
) -> dict[str, ApplicationConfig]:
    applications = {name: _application(name, table, models) for name, table in tables_of(tables, "[applications]")}
    if not applications:
        raise ConfigError("[applications]: expected at least one table [applications.NAME], found none")
    for name, application in applications.items():
        _check_answers(application, server.max_timeout, f"[applications.{name}]")
    return applications


def _application(name: str, table: Table, models: Mapping[str, ModelConfig]) -> ApplicationConfig:
    where = f"[applications.{name}]"
    check_application_name(name, where)
    check_keys(table, keys(ApplicationConfig), where)
    chosen = _chosen_models(required(table, "models", where), models, f"{where} models")
    costs = {models[name].key: models[name].cost for name in chosen}
    task: Task = convert(table.get("task", "classification"), Task, f"{where} task")
    return read(
        ApplicationConfig,
        table,
        where,
        name=name,
        models=tuple(sorted(chosen.values())),
        input=_input(required(table, "input", where), f"{where} input"),
        policy=read_policy(required(table, "policy", where), task, chosen, costs, f"{where} policy"),
        loss=read_loss(table.get("loss", LOSSES[task][0]), task, f"{where} loss"),
    )


def _chosen_models(value: object, models: Mapping[str, ModelConfig], where: str) -> dict[str, str]:
    """The key of each model that an application names."""
    names: tuple[str, ...] = convert(value, tuple[str, ...], where)
    if not names:
        raise ConfigError(f"{where}: expected at least one model, found none")
    check_distinct(names, where)
    for name in names:
        check_choice("model", name, models, where)
    return {name: models[name].key for name in names}


def _input(table: Table, where: str) -> InputSpec:
    spec = read(InputSpec, table, where)
    check_choice("datatype", spec.datatype, DATATYPES, f"{where} datatype")
    if any(size < -1 for size in spec.shape):
        raise ConfigError(f"{where} shape: expected sizes of at least 0, or -1 for any, found {list(spec.shape)!r}")
    return spec


def _check_answers(application: ApplicationConfig, max_timeout: float, where: str) -> None:
    check_distinct(application.classes, f"{where} classes")
    if application.slo > max_timeout:
        raise ConfigError(
            f"{where} slo_ms: expected at most max_timeout_ms of [server], {max_timeout * 1e3:g}, "
            f"found {application.slo * 1e3:g}"
        )
    if application.when_unsure == "default" and application.default_output is None:
        raise ConfigError(f"{where} when_unsure: 'default' needs a default_output, found none")
    if application.blend is not None and not application.policy.per_user:
        raise ConfigError(f"{where} blend: policy {application.policy.name!r} keeps no state for each user")
    if application.coverage is not None and application.task != "regression":
        raise ConfigError(f"{where} coverage: intervals are for task = 'regression', found {application.task!r}")
