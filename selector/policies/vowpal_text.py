"""Queries in Vowpal Wabbit's text format. Names are percent-encoded, so that no user's text can be read as syntax."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from selector.decisions import Feature, Query
from selector.ngrams import is_text, ngrams

# VW computes in single precision: the product of two features, squared, must neither overflow nor vanish.
_LARGEST, _SMALLEST = 1e9, 1e-9


def example(query: Query, label: tuple[str, float, float] | None = None) -> str:
    """A multi-line example: features (namespace c) and user (u) are shared, each available model (a) is an action.

    What is known of a model (m) is its name without the version, and `query.about`. `label` is (model, loss,
    probability) for a model among `query.available`.
    """
    shared = " ".join(["shared |c", *_features(query.features)])
    if query.user is not None:
        shared += f" |u {_name(query.user)}"
    actions = [_action(model, query.about.get(model, {})) for model in query.available]
    if label is not None:
        model, loss, probability = label
        chosen = query.available.index(model)
        actions[chosen] = f"{chosen}:{loss!r}:{probability!r} {actions[chosen]}"
    return "\n".join([shared, *actions])


def _action(model: str, about: dict[str, Feature]) -> str:
    family, colon, _ = model.rpartition(":")
    known = [f"family={_name(family)}"] if colon else []
    known += _features(about)
    return " ".join([f"|a {_name(model)}", *(["|m", *known] if known else [])])


def _features(features: dict[str, Feature]) -> Iterator[str]:
    """A number is the feature's value (NaN counts as 0); a class makes a feature of its own, a text many."""
    for name in sorted(features):
        value = features[name]
        if not isinstance(value, str):
            yield f"{_name(name)}:{_number(value)!r}"
        elif is_text(value):
            yield from _text(name, value)
        else:
            yield f"{_name(name)}={_name(value)}"


def _text(name: str, value: str) -> Iterator[str]:
    """Words and pairs of words, together of length 1."""
    found = ngrams(value)
    for ngram in found:
        yield f"{_name(name)}={_name(ngram)}:{len(found) ** -0.5!r}"


def _number(value: float) -> float:
    return float(max(-_LARGEST, min(_LARGEST, value))) if abs(value) >= _SMALLEST else 0.0


def _name(text: str) -> str:
    return "_" + quote(
        text, safe="", errors="backslashreplace"
    )  # the prefix: no empty names, none that reads as an index
