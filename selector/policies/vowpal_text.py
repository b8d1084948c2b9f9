"""Queries in Vowpal Wabbit's text format. Names are percent-encoded, so that no user's text can be read as syntax."""

from __future__ import annotations

from urllib.parse import quote

from selector.decisions import Feature, Query

# VW computes in single precision: the product of two features, squared, must neither overflow nor vanish.
_LARGEST, _SMALLEST = 1e9, 1e-9


def example(query: Query, label: tuple[str, float, float] | None = None) -> str:
    """A multi-line example: features (namespace c) and user (u) are shared, each available model (a) is an action.

    `label` is (model, loss, probability) for a model among `query.available`.
    """
    shared = " ".join(["shared |c", *(_feature(name, query.features[name]) for name in sorted(query.features))])
    if query.user is not None:
        shared += f" |u {_name(query.user)}"
    actions = [f"|a {_name(model)}" for model in query.available]
    if label is not None:
        model, loss, probability = label
        chosen = query.available.index(model)
        actions[chosen] = f"{chosen}:{loss!r}:{probability!r} {actions[chosen]}"
    return "\n".join([shared, *actions])


def _feature(name: str, value: Feature) -> str:
    """A number is the feature's value (NaN counts as 0); a string makes a feature of its own."""
    if isinstance(value, str):
        return f"{_name(name)}={_name(value)}"
    if not abs(value) >= _SMALLEST:
        return f"{_name(name)}:0.0"
    return f"{_name(name)}:{float(max(-_LARGEST, min(_LARGEST, value)))!r}"


def _name(text: str) -> str:
    return "_" + quote(
        text, safe="", errors="backslashreplace"
    )  # the prefix: no empty names, none that reads as an index
