"""One table of the configuration as one frozen struct, with errors that say what would have been right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from math import isfinite
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from selector.errors import WindjammerError

S = TypeVar("S", bound=msgspec.Struct)
Table = Mapping[str, Any]


class ConfigError(WindjammerError):
    """A configuration that cannot be served. The message names the file, the key, what was found and what is valid."""

    phrase = "Invalid configuration"


def unknown(kind: str, name: str, valid: Iterable[str]) -> str:
    """A message about a name that does not exist, with the nearest that does, whatever the case of either.

    >>> unknown("policy", "exp33", ["exp3", "exp4"])
    "unknown policy 'exp33'; did you mean 'exp3'? Valid: 'exp3', 'exp4'"
    """
    names = sorted(set(valid))
    folded = {each.casefold(): each for each in names}
    nearest = get_close_matches(name.casefold(), folded, n=1)
    guess = f"; did you mean {folded[nearest[0]]!r}?" if nearest else "."
    return f"unknown {kind} {name!r}{guess} Valid: {', '.join(map(repr, names)) or 'none'}"


def keys(kind: type[msgspec.Struct]) -> list[str]:
    """The keys of a table that is read as `kind`. Not `name`: that is the table's own."""
    return [field.encode_name for field in fields(kind) if field.name != "name"]


def check_keys(table: object, valid: Iterable[str], where: str) -> None:
    """Raise ConfigError unless `table` is a table that has no keys but `valid` ones."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: expected a table, found {table!r}")
    names = list(valid)
    for key in table:
        check_choice("key", key, names, where)


def read(kind: type[S], table: Table, where: str, **given: Any) -> S:
    """`table` as `kind`. `given` are the fields that the caller has read itself. Raises ConfigError."""
    check_keys(table, keys(kind), where)
    values = dict(given)
    for field in fields(kind):
        if field.name in given:
            continue
        if field.encode_name in table:
            values[field.name] = _value(field, table[field.encode_name], where)
        elif field.required:
            raise ConfigError(f"{where}: missing key {field.encode_name!r}")
    return _construct(kind, values, where)


def convert(value: object, kind: Any, where: str, found: object = None) -> Any:
    """A value of the file as `kind`; `found` is what stood there if `value` was parsed from it. Raises ConfigError."""
    found = value if found is None else found
    numbers = value if isinstance(value, list) else [value]
    if any(isinstance(number, float) and not isfinite(number) for number in numbers):
        raise ConfigError(f"{where}: expected a finite number, found {found!r}")
    if get_origin(kind) is Literal:
        check_choice("value", str(found), get_args(kind), where)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_expected(str(error))}, found {found!r}") from None


def _value(field: FieldInfo, found: object, where: str) -> Any:
    place = f"{where} {field.encode_name}"
    parse = _parser(field)
    try:
        value = parse(found) if parse else found
    except ValueError as error:
        raise ConfigError(f"{place}: {error}, found {found!r}") from None
    return convert(value, field.type, place, found)


def _parser(field: FieldInfo) -> Callable[[object], object] | None:
    """The parser of the field's unit (`serving.units`), if it has one."""
    for meta in get_args(field.type)[1:]:
        if isinstance(meta, msgspec.Meta) and meta.extra:
            return cast("Callable[[object], object] | None", meta.extra.get("parse"))
    return None


def _construct(kind: type[S], values: dict[str, Any], where: str) -> S:
    try:
        return kind(**values)
    except (ValueError, WindjammerError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _expected(message: str) -> str:
    """A message of msgspec, without what it found: we show the value itself."""
    message = re.sub(r", got `\w+`", "", message).replace("`object`", "a table").replace("`array`", "a list")
    return re.sub(r" - at `\$(.*)`", r" at \1", message.replace("Expected", "expected"))


def check_choice(kind: str, name: str, valid: Iterable[str], where: str) -> None:
    """Raise ConfigError unless `name` is one of `valid`."""
    names = list(valid)
    if name not in names:
        raise ConfigError(f"{where}: {unknown(kind, name, names)}")


def required(table: Table, key: str, where: str) -> Any:
    """The value under `key`. Raises ConfigError if there is none."""
    if key not in table:
        raise ConfigError(f"{where}: missing key {key!r}")
    return table[key]


def tables_of(tables: object, where: str) -> Iterable[tuple[str, Table]]:
    """The tables in a table of tables, by name. Raises ConfigError."""
    if not isinstance(tables, Mapping):
        raise ConfigError(f"{where}: expected a table, found {tables!r}")
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise ConfigError(f"{where} {name}: expected a table, found {table!r}")
        yield name, table
