"""What OpenAPI says of the applications' routes: their bodies, their answers, and an example that works."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from msgspec import json

from serving.api.bodies import EvaluateBody, ObserveBody, PredictBody, UpdateBody
from serving.api.errors import Failure
from serving.inputs import InputSpec
from serving.values import ObserveReply, PredictReply

EXAMPLE_LIMIT = 1024
"""Numbers in an example at most."""

_SHOWN = (PredictBody, ObserveBody, UpdateBody, EvaluateBody, PredictReply, ObserveReply, Failure)
_, SCHEMAS = json.schema_components(_SHOWN, ref_template="#/components/schemas/{name}")

_SUMMARIES = {
    "predict": "Ask, and get an answer",
    "observe": "Say what was right, or how good the answer was",
    "update": "Learn from a labelled input",
}
_ERRORS = {
    400: "The body is not what the route takes",
    404: "No such application or query",
    409: "The query has other feedback already",
    413: "The body is over the limit",
    503: "Too much to do; repeat after a while",
    504: "No prediction before the deadline, and no default output",
}


def documentation(verb: str, spec: InputSpec) -> dict[str, Any]:
    """Arguments for FastAPI's `add_api_route`."""
    return {
        "summary": _SUMMARIES[verb],
        "description": f"`input` is {spec}.",
        "openapi_extra": _taking(_body(verb), _example(verb, spec)),
        "responses": {200: {"description": "Done", "content": _content(_answer(verb))}}
        | {status: {"description": about, "content": _content(_ref(Failure))} for status, about in _ERRORS.items()},
    }


def taking(kind: type) -> dict[str, Any]:
    """The same of a route that takes this body."""
    return _taking(_ref(kind))


def _taking(schema: dict[str, Any], example: object = None) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": _content(schema, example)}}


def _ref(kind: type) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _content(schema: dict[str, Any], example: object = None) -> dict[str, Any]:
    media = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"application/json": media}


def _body(verb: str) -> dict[str, Any]:
    return _ref({"predict": PredictBody, "observe": ObserveBody, "update": UpdateBody}[verb])


def _answer(verb: str) -> dict[str, Any]:
    one = _ref(PredictReply if verb == "predict" else ObserveReply)
    many = {"type": "array", "items": {"oneOf": [one, _ref(Failure)]}}
    match verb:
        case "predict":
            batch = {"type": "object", "properties": {"batch_predictions": many}, "required": ["batch_predictions"]}
            return {"oneOf": [one, batch]}
        case "observe":
            return {"oneOf": [one, many]}
    return one


def _example(verb: str, spec: InputSpec) -> object:
    if verb == "observe":
        return {"query_id": "1", "label": 1}
    one = _input(spec)
    if one is None:
        return None
    return {"input": one} if verb == "predict" else {"uid": 1, "input": one, "label": 1}


def _input(spec: InputSpec) -> object:
    if spec.datatype in ("BYTES", "JSON"):
        return "text"
    shape = [1 if size == -1 else size for size in spec.shape]
    if prod(shape) > EXAMPLE_LIMIT:
        return None
    kind = bool if spec.datatype == "BOOL" else float if spec.datatype.startswith("FP") else int
    return np.zeros(shape, kind).tolist()
