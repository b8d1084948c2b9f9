"""What the bodies of requests may hold."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from serving.fields import ClientId, Feature, Label, Number, QueryId, User

BATCH_LIMIT = 4096
"""Rows of one request at most: they are decoded in one go, while everybody else waits."""

Rows = Annotated[list[Raw], Meta(max_length=BATCH_LIMIT)]


class Body(Struct, forbid_unknown_fields=True):
    """What all bodies may hold: an input, for now as JSON text."""

    input: Raw | UnsetType = UNSET


class PredictBody(Body):
    """`POST /{app}/predict`: one of `input` and `input_batch`. Clipper's `version` is taken and ignored."""

    input_batch: Rows | UnsetType = UNSET
    user: User | None = None
    context: dict[str, Feature] = {}
    timeout_ms: Annotated[float, Meta(gt=0)] | None = None
    query_id: ClientId | None = None
    version: str | None = None


class ObserveBody(Body):
    """`POST /{app}/observe`: feedback about one decision, an episode, or a labelled input; or a list of these."""

    query_id: QueryId | None = None
    query_ids: Annotated[list[QueryId], Meta(min_length=1, max_length=BATCH_LIMIT)] | None = None
    label: Label | None = None
    reward: Annotated[float, Meta(ge=0, le=1)] | None = None
    user: User | None = None
    context: dict[str, Feature] = {}
    observations: Rows | UnsetType = UNSET


class UpdateBody(Body, kw_only=True):
    """`POST /{app}/update`, as Clipper's clients send it."""

    uid: Number | User
    label: Label
    version: str | None = None


class EvaluateBody(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /admin/applications/{app}/evaluate`: `candidates` as in the configuration, a name or a table with it."""

    candidates: Annotated[list[str | dict[str, Any]], Meta(min_length=1, max_length=64)]
    margin: Annotated[float, Meta(ge=0)] = 0.0
    dry_run: bool = True
    confidence: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    seed: Annotated[int, Meta(ge=0)] = 0
