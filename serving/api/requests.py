"""From the fields of a body to what the application is asked: the rules that types alone cannot say."""

from __future__ import annotations

from msgspec import UNSET

from serving.api.bodies import ObserveBody, PredictBody, UpdateBody
from serving.errors import BadRequest
from serving.values import Input, ObserveRequest, PredictRequest, UpdateRequest


def predict_request(fields: PredictBody, asked: Input, max_timeout: float) -> PredictRequest:
    """A query with the fields' user, context, timeout (capped; in seconds) and id. Raises BadRequest."""
    timeout = fields.timeout_ms
    return PredictRequest(
        asked,
        fields.user,
        fields.context,
        None if timeout is None else min(timeout / 1e3, max_timeout),
        _new_id(fields.query_id),
    )


def feedback_request(fields: ObserveBody, labelled: Input | None) -> ObserveRequest | UpdateRequest:
    """Feedback about decisions, or a labelled input. Raises BadRequest."""
    if fields.observations is not UNSET:
        raise BadRequest("`observations` cannot stand beside other fields, nor in one another")
    if labelled is not None:
        return _labelled(fields, labelled)
    if fields.user is not None or fields.context:
        raise BadRequest("`user` and `context` belong to an `input`; a query has its own")
    if (fields.label is None) == (fields.reward is None):
        raise BadRequest("expected one of `label` and `reward`")
    return ObserveRequest(_queries(fields), fields.label, fields.reward)


def update_request(fields: UpdateBody, labelled: Input | None) -> UpdateRequest:
    """A labelled input as Clipper's clients send it. Raises BadRequest."""
    if labelled is None:
        raise BadRequest("Object missing required field `input`")
    return UpdateRequest(labelled, fields.label, str(fields.uid))


def _labelled(fields: ObserveBody, labelled: Input) -> UpdateRequest:
    if fields.label is None or fields.reward is not None or fields.query_ids is not None:
        raise BadRequest("an `input` needs its `label`, and takes neither `reward` nor `query_ids`")
    if isinstance(fields.query_id, int):
        raise BadRequest("the `query_id` of a new input is the client's own: a string that is not a number")
    return UpdateRequest(labelled, fields.label, fields.user, fields.context, _new_id(fields.query_id))


def _queries(fields: ObserveBody) -> tuple[int | str, ...]:
    if fields.query_ids is None:
        if fields.query_id is None:
            raise BadRequest("expected `query_id`, `query_ids`, `input` or `observations`")
        return (_known_id(fields.query_id),)
    if fields.query_id is not None or fields.reward is None:
        raise BadRequest("`query_ids` take one `reward`, and no `query_id` beside them")
    queries = tuple(map(_known_id, fields.query_ids))
    if len(set(queries)) < len(queries):
        raise BadRequest("`query_ids` holds one twice")
    return queries


def _known_id(id_: int | str) -> int | str:
    """An id as it came back: ours are numbers (in text or not), the client's are not."""
    if isinstance(id_, int) or not _is_number(id_):
        return id_
    if int(id_) >= 2**63:
        raise BadRequest(f"no query_id of ours is as large as {id_}")
    return int(id_)


def _new_id(id_: str | None) -> str | None:
    """An id of the client's own, which must not look like one of ours."""
    if id_ is not None and _is_number(id_):
        raise BadRequest(f"query_id {id_!r}: an id of your own must not be a number, those are ours")
    return id_


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
