"""The configuration file: what it means, and what it says when it is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selector.losses import Absolute, LogLoss, Squared, TopK, ZeroOne
from selector.policies import Cascade, Exp3, Exp4, LinUCB, Static
from serving.checks import RESERVED_NAMES
from serving.choices import policy_kinds
from serving.config import Config, ServerConfig, StoreConfig, load, parse
from serving.inputs import InputSpec
from serving.settings import ConfigError

FOLDER = Path("/srv/digits")

LEAST = """
[models.svm]
runtime = "sklearn"
artifact = "svm.joblib"

[models.cnn]
runtime = "python"
artifact = "digits.nets:Cnn"
version = "2"

[applications.digits]
models = ["svm", "cnn"]
input = { datatype = "FP32", shape = [64] }
policy = "exp3"
"""


def changed(old: str, new: str) -> str:
    """LEAST with `old` replaced; nothing to replace means at the end, in the application's table."""
    assert old in LEAST
    return LEAST.replace(old, new, 1) if old else f"{LEAST}{new}\n"


def application(line: str) -> Config:
    return parse(changed("", line), FOLDER)


def test_a_cascade_knows_what_its_models_cost() -> None:
    with_cost = changed('version = "2"', 'version = "2"\ncost = 7.5')

    config = parse(with_cost.replace('"exp3"', '{ name = "cascade", costs = { svm = 0.25 } }'), FOLDER)

    policy = config.applications["digits"].policy
    assert isinstance(policy, Cascade)
    assert policy.costs == {"svm:1": 0.25, "cnn:2": 7.5}
    with pytest.raises(ConfigError, match="costs: unknown model 'swm'"):
        parse(with_cost.replace('"exp3"', '{ name = "cascade", costs = { swm = 0.25 } }'), FOLDER)


def test_costs_are_given_to_a_policy_with_a_price() -> None:
    with_cost = changed('version = "2"', 'version = "2"\ncost = 7.5')

    priced = parse(with_cost.replace('"exp3"', '{ name = "linucb", price = 0.02 }'), FOLDER)
    plain = parse(with_cost.replace('"exp3"', '"linucb"'), FOLDER)

    assert priced.applications["digits"].policy == LinUCB(price=0.02, costs={"svm:1": 1.0, "cnn:2": 7.5})
    assert plain.applications["digits"].policy == LinUCB()


@pytest.mark.parametrize("price", [0, 0.02])
@pytest.mark.parametrize("name", ["linucb", "linear_thompson"])
def test_costs_are_of_the_applications_models_whether_there_is_a_price_or_not(name: str, price: float) -> None:
    def policy(costs: str) -> str:
        return LEAST.replace('"exp3"', f'{{ name = "{name}", price = {price}, costs = {costs} }}')

    given = parse(policy("{ svm = 3 }"), FOLDER).applications["digits"].policy
    assert json.loads(given.settings)["costs"]["svm:1"] == 3.0
    with pytest.raises(ConfigError, match="costs: unknown model 'svn'; did you mean 'svm'"):
        parse(policy("{ svn = 3 }"), FOLDER)


def test_the_least_configuration_has_the_documented_defaults() -> None:
    config = parse(LEAST, FOLDER)

    assert config.folder == FOLDER
    assert config.server == ServerConfig(body_limit=8 * 1024 * 1024, max_timeout=10.0, model_root=FOLDER / "models")
    assert config.store == StoreConfig(url="sqlite:////srv/digits/windjammer.db")
    model = config.models["svm:1"]
    assert (model.replicas, model.device, model.options, model.cost, model.queue) == (1, "auto", {}, 1.0, 4096)
    assert (model.classes, model.hang_timeout, model.start_timeout) == (None, 10.0, 120.0)
    digits = config.applications["digits"]
    assert digits.input == InputSpec("FP32", (64,))
    assert (digits.task, digits.policy, digits.loss) == ("classification", Exp3(), ZeroOne())
    assert (digits.slo, digits.default_output, digits.target_error) == (0.02, None, None)
    assert (digits.when_unsure, digits.shadow_share, digits.log_inputs) == ("answer", 0.0, False)
    assert (digits.cache_bytes, digits.cache_ttl) == (64 * 1024 * 1024, 600.0)


def test_models_are_called_by_name_and_version_and_an_applications_are_sorted() -> None:
    config = parse(LEAST, FOLDER)

    assert [*config.models] == ["svm:1", "cnn:2"]
    assert config.models["cnn:2"].key == "cnn:2"
    assert config.applications["digits"].models == ("cnn:2", "svm:1")


@pytest.mark.parametrize(
    ("written", "size"), [("1048576", 1048576), ('"64MiB"', 67108864), ('"2 kB"', 2000), ('"1.5KiB"', 1536), ("0", 0)]
)
def test_sizes_are_bytes_or_have_a_unit(written: str, size: int) -> None:
    assert application(f"cache_bytes = {written}").applications["digits"].cache_bytes == size


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90.0), ("0.5", 0.5), ('"10min"', 600.0), ('"250ms"', 0.25), ('"1.5 h"', 5400.0)]
)
def test_durations_are_seconds_or_have_a_unit(written: str, seconds: float) -> None:
    assert application(f"cache_ttl = {written}").applications["digits"].cache_ttl == seconds


def test_keys_in_milliseconds_become_seconds() -> None:
    assert application("slo_ms = 2.5").applications["digits"].slo == 0.0025
    config = parse(
        changed("[models.svm]", "[server]\nmax_timeout_ms = 500\n[models.svm]\nhang_timeout_ms = 100"), FOLDER
    )
    assert config.server.max_timeout == 0.5
    assert config.models["svm:1"].hang_timeout == 0.1


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("sqlite:///logs/all.db", "sqlite:////srv/digits/logs/all.db"),
        ("sqlite:////var/all.db", "sqlite:////var/all.db"),
        ("postgresql+psycopg://host/all", "postgresql+psycopg://host/all"),
    ],
)
def test_a_relative_database_stands_beside_the_file(written: str, url: str) -> None:
    assert parse(f'{LEAST}[store]\nurl = "{written}"', FOLDER).store.url == url


def test_a_policy_may_have_settings() -> None:
    config = parse(changed('"exp3"', '{ name = "exp4", learning_rate = 0.25, share = 0 }'), FOLDER)
    assert config.applications["digits"].policy == Exp4(learning_rate=0.25, share=0.0)


def test_settings_that_are_told_can_be_given_again() -> None:
    config = parse(changed('"exp3"', '{ name = "exp4", task = "classification" }'), FOLDER)
    assert config.applications["digits"].policy == Exp4()


@pytest.mark.parametrize("model", ["svm", "svm:1"])
def test_a_static_policy_names_one_of_the_applications_models(model: str) -> None:
    config = parse(changed('"exp3"', f'{{ name = "static", model = "{model}" }}'), FOLDER)
    assert config.applications["digits"].policy == Static(model=model)


def test_the_task_reaches_the_policy_and_chooses_the_loss() -> None:
    config = application('task = "regression"').applications["digits"]
    assert (config.policy, config.loss) == (Exp3(task="regression"), Absolute())


@pytest.mark.parametrize(
    ("lines", "loss"),
    [
        ('loss = "zero_one"', ZeroOne()),
        ('loss = { name = "log", bound = 3 }', LogLoss(bound=3.0)),
        ('loss = { name = "top_k", k = 3 }', TopK(k=3)),
        ('task = "regression"\nloss = { name = "squared", scale = 10 }', Squared(scale=10.0)),
    ],
)
def test_a_loss_may_be_chosen(lines: str, loss: object) -> None:
    assert application(lines).applications["digits"].loss == loss


def test_labels_keep_their_types() -> None:
    config = application('classes = [1, 2.5, "three"]\ndefault_output = -1').applications["digits"]
    assert config.classes is not None
    assert [type(label) for label in config.classes] == [int, float, str]
    assert type(config.default_output) is int


def test_every_policy_that_the_selection_layer_names_can_be_configured() -> None:
    for name in policy_kinds():
        value = f'{{ name = "{name}", model = "svm" }}' if name == "static" else f'"{name}"'
        config = parse(changed('"exp3"', value), FOLDER)
        assert config.applications["digits"].policy.name == name


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_no_application_is_named_like_a_route(name: str) -> None:
    with pytest.raises(ConfigError, match="is taken by a route"):
        parse(changed("[applications.digits]", f'[applications."{name}"]'), FOLDER)


MISTAKES = {
    "not TOML": ("policy = ", "policy == ", "not TOML: Invalid value (at line 14, column 9)"),
    "unknown table": ("[models.svm]", "[model.svm]", "top level: unknown key 'model'; did you mean 'models'?"),
    "unknown key": ("", "cache_tll = 5", "[applications.digits]: unknown key 'cache_tll'; did you mean 'cache_ttl'?"),
    "name is no key": ("version", 'name = "x"\nversion', "[models.cnn]: unknown key 'name'. Valid: 'artifact', "),
    "missing key": ('policy = "exp3"', "", "[applications.digits]: missing key 'policy'"),
    "missing runtime": ('runtime = "sklearn"', "", "[models.svm]: missing key 'runtime'"),
    "no application": (LEAST, "", "[applications]: expected at least one table [applications.NAME], found none"),
    "model no table": (LEAST, "models.svm = 1", "[models] svm: expected a table, found 1"),
    "models no table": (LEAST, "models = []", "[models]: expected a table, found []"),
    "server no table": (LEAST, "server = 1", "[server]: expected a table, found 1"),
    "unknown policy": (
        '"exp3"',
        '"exp33"',
        "[applications.digits] policy: unknown policy 'exp33'; did you mean 'exp3'?",
    ),
    "policy in another case": ('"exp3"', '"linUCB"', "unknown policy 'linUCB'; did you mean 'linucb'?"),
    "model in another case": (
        '["svm", "cnn"]',
        '["SVM", "cnn"]',
        "[applications.digits] models: unknown model 'SVM'; did you mean 'svm'?",
    ),
    "datatype in another case": ("FP32", "fp32", "input datatype: unknown datatype 'fp32'; did you mean 'FP32'?"),
    "policy without name": (
        '"exp3"',
        "{ share = 0 }",
        "policy: expected the name of a policy or a table with a key 'name'",
    ),
    "policy a number": ('"exp3"', "3", "policy: expected the name of a policy or a table with a key 'name', found 3"),
    "unknown setting": (
        '"exp3"',
        '{ name = "exp3", learning_rat = 1 }',
        "[applications.digits] policy (exp3): unknown key 'learning_rat'; did you mean 'learning_rate'?",
    ),
    "setting that is nobody's": (
        '"exp3"',
        '{ name = "exp4", tusk = 1 }',
        "policy (exp4): unknown key 'tusk'. Valid: 'learning_rate', 'restart', 'share'",
    ),
    "task of a policy": (
        '"exp3"',
        '{ name = "exp3", task = "regression" }',
        "policy (exp3): 'task' is no setting of a policy, but the application's: 'classification' here",
    ),
    "setting out of range": (
        '"exp3"',
        '{ name = "exp3", share = 2 }',
        "[applications.digits] policy (exp3) share: expected",
    ),
    "static of another model": (
        '"exp3"',
        '{ name = "static", model = "smv" }',
        "policy (static) model: unknown model 'smv'; did you mean 'svm'?",
    ),
    "static without model": ('"exp3"', '"static"', "policy (static): missing key 'model'"),
    "unknown model": (
        '"svm", "cnn"',
        '"svn"',
        "[applications.digits] models: unknown model 'svn'; did you mean 'svm'?",
    ),
    "no model": ('"svm", "cnn"', "", "[applications.digits] models: expected at least one model, found none"),
    "model twice": ('"svm", "cnn"', '"svm", "svm"', "models: expected different values, found 'svm' twice"),
    "models of numbers": ('"svm", "cnn"', "1", "models: expected `str` at [0], found [1]"),
    "unknown runtime": (
        '"sklearn"',
        '"sklern"',
        "[models.svm] runtime: unknown runtime 'sklern'; did you mean 'sklearn'?",
    ),
    "no replica": ("version", "replicas = 0\nversion", "[models.cnn] replicas: expected `int` >= 1, found 0"),
    "replicas as text": ("version", 'replicas = "2"\nversion', "replicas: expected `int`, found '2'"),
    "no queue": ("version", "queue = 0\nversion", "[models.cnn] queue: expected `int` >= 1, found 0"),
    "negative cost": ("version", "cost = -1\nversion", "[models.cnn] cost: expected `float` >= 0.0, found -1"),
    "options no table": ("version", "options = 1\nversion", "[models.cnn] options: expected a table, found 1"),
    "missing artifact": (
        'artifact = "svm.joblib"',
        "",
        "[models.svm] artifact: missing; expected a path under model_root",
    ),
    "artifact elsewhere": ("svm.joblib", "../svm.joblib", "expected a path under model_root, found '../svm.joblib'"),
    "absolute artifact": ("svm.joblib", "/tmp/svm", "expected a path under model_root, found '/tmp/svm'"),
    "no class": ("digits.nets:Cnn", "digits.nets", "expected a class as 'package.module:Class', found 'digits.nets'"),
    "model named badly": (
        "[models.svm]",
        '[models."s:vm"]',
        "expected letters, digits, '-', '_' or '.', not '.' first",
    ),
    "version as number": ('"2"', "2", "[models.cnn] version: expected `str`, found 2"),
    "application named badly": ("[applications.digits]", '[applications."a b"]', "expected a name of letters, digits,"),
    "unknown datatype": ("FP32", "FP33", "input datatype: unknown datatype 'FP33'; did you mean 'FP32'?"),
    "missing datatype": ('datatype = "FP32", ', "", "[applications.digits] input: missing key 'datatype'"),
    "input no table": ('{ datatype = "FP32", shape = [64] }', '"FP32"', "input: expected a table, found 'FP32'"),
    "shape below -1": ("[64]", "[-2]", "input shape: expected sizes of at least 0, or -1 for any, found [-2]"),
    "shape of text": ("[64]", '["a"]', "input shape: expected `int` at [0], found ['a']"),
    "unknown task": ("", 'task = "regresion"', "task: unknown value 'regresion'; did you mean 'regression'?"),
    "unknown loss": ("", 'loss = "zero"', "loss: unknown loss 'zero'; did you mean 'zero_one'?"),
    "loss of another task": (
        "",
        'loss = "squared"',
        "loss: 'squared' is no loss for classification; expected 'zero_one' or",
    ),
    "loss out of range": (
        "",
        'loss = { name = "log", bound = 0 }',
        "loss (log) bound: expected `float` > 0.0, found 0",
    ),
    "class twice": ("", "classes = [1, 2, 1.0]", "classes: expected different values, found 1.0 twice"),
    "class no label": ("", "classes = [[1]]", "classes: expected `bool | int | float | str` at [0], found [[1]]"),
    "class not finite": ("", "classes = [1.0, nan]", "classes: expected a finite number, found [1.0, nan]"),
    "negative slo": ("", "slo_ms = -5", "[applications.digits] slo_ms: expected `float` > 0.0, found -5"),
    "slo as text": ("", 'slo_ms = "20ms"', "[applications.digits] slo_ms: expected `float`, found '20ms'"),
    "endless slo": ("", "slo_ms = inf", "[applications.digits] slo_ms: expected a finite number, found inf"),
    "slo over the limit": (
        "",
        "slo_ms = 15000",
        "slo_ms: expected at most max_timeout_ms of [server], 10000, found 15000",
    ),
    "share above one": ("", "shadow_share = 1.5", "shadow_share: expected `float` <= 1.0, found 1.5"),
    "negative target": ("", "target_error = -0.1", "target_error: expected `float` > 0.0, found -0.1"),
    "certain target": ("", "target_error = 1.0", "target_error: expected `float` < 1.0, found 1.0"),
    "interval of a class": ("", "coverage = 0.9", "coverage: intervals are for task = 'regression'"),
    "unknown choice": ("", 'when_unsure = "defualt"', "when_unsure: unknown value 'defualt'; did you mean 'default'?"),
    "unsure without default": (
        "",
        'when_unsure = "default"',
        "when_unsure: 'default' needs a default_output, found none",
    ),
    "default no label": (
        "",
        "default_output = 1979-05-27",
        "default_output: expected `bool | int | float | str | null`, found",
    ),
    "unknown unit": (
        "",
        'cache_ttl = "10 minutes"',
        "cache_ttl: expected a number with one of the units ms, s, min, h, d",
    ),
    "negative size": ("", "cache_bytes = -1", "cache_bytes: expected `int` >= 0, found -1"),
    "size without unit": ("", 'cache_bytes = "64"', "cache_bytes: expected a number with one of the units B, kB, MB,"),
    "log_inputs as text": ("", 'log_inputs = "yes"', "log_inputs: expected `bool`, found 'yes'"),
}


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_what_would_have_been_right(old: str, new: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "windjammer.toml"
    file.write_text(changed(old, new))

    with pytest.raises(ConfigError) as error:
        load(file)

    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)


def test_a_file_that_cannot_be_read_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    for path, reason in [("missing.toml", "No such file"), (".", "Is a directory"), ("latin.toml", "utf-8")]:
        with pytest.raises(ConfigError, match=reason):
            load(tmp_path / path)


def test_a_configuration_reads_the_same_twice_and_can_be_printed(tmp_path: Path) -> None:
    file = tmp_path / "windjammer.toml"
    file.write_text(LEAST)

    assert load(file) == load(file)
    assert repr(load(file)) == repr(load(file))
    assert load(file).folder == tmp_path.resolve()
