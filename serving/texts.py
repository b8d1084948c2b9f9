"""A hook for applications whose input is text: its words are features of the query."""

from __future__ import annotations

from serving.hooks import Asked

LONGEST = 1 << 14
"""Bytes of a text that count: about as many as contextual policies read words of."""


def text(asked: Asked) -> dict[str, str]:
    """`features = "serving.texts:text"`: the beginning of an input of BYTES, or of a string of JSON, as `text`.

    Every decision is logged with it, as with all features.
    """
    given = asked.input.encode(errors="replace") if isinstance(asked.input, str) else asked.input
    return {"text": given[:LONGEST].decode(errors="replace")}
