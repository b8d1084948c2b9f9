"""The questions that an application answers: bytes in, one response by callback. No HTTP, no event loop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import UNSET, Raw, json

from serving.api.batches import Batch
from serving.api.bodies import ObserveBody, PredictBody, UpdateBody
from serving.api.body_reader import BodyReader
from serving.api.errors import failed
from serving.api.requests import feedback_request, predict_request, update_request
from serving.api.responses import Endpoint, Respond, Response
from serving.errors import BadRequest
from serving.inputs import Decode, decoder
from serving.values import ObserveReply, ObserveRequest, PredictReply, Reply, UpdateRequest

if TYPE_CHECKING:
    from serving.application import Application

_encode = json.Encoder().encode


def endpoints(application: Application, max_timeout: float) -> dict[str, Endpoint]:
    """The endpoints of one application, by the last part of their path. `max_timeout` is in seconds."""
    decode = decoder(application.config.input)
    return {
        "predict": Predict(application, decode, max_timeout),
        "observe": Observe(application, decode),
        "update": Update(application, decode),
    }


class Predict:
    """`input`, or `input_batch` with an answer for each row, in order."""

    def __init__(self, application: Application, decode: Decode, max_timeout: float) -> None:
        self._predict = application.predict
        self._reader = BodyReader(PredictBody, decode)
        self._max_timeout = max_timeout

    def __call__(self, body: bytes, respond: Respond) -> None:
        """Answer one body."""
        try:
            fields, asked = self._reader.read(body)
            if fields.input_batch is not UNSET:
                self._predict_batch(fields, fields.input_batch, respond)
            elif asked is not None:
                self._predict(predict_request(fields, asked, self._max_timeout), partial(_answer, respond))
            else:
                raise BadRequest("expected `input` or `input_batch`")
        except Exception as error:
            respond(failed(error))

    def _predict_batch(self, fields: PredictBody, rows: list[Raw], respond: Respond) -> None:
        if fields.input is not UNSET or fields.query_id is not None:
            raise BadRequest("`input_batch` takes neither `input` nor `query_id` beside it")
        batch = Batch(len(rows), lambda outcomes: respond(_success({"batch_predictions": outcomes})))
        for index, row in enumerate(rows):
            place = batch.place(index)
            try:
                request = predict_request(fields, self._reader.input(row), self._max_timeout)
            except Exception as error:
                place(error)
            else:
                self._predict(request, place)


class Observe:
    """Feedback about decisions, a labelled input, or `observations`, a list of these."""

    def __init__(self, application: Application, decode: Decode) -> None:
        self._application = application
        self._reader = BodyReader(ObserveBody, decode)

    def __call__(self, body: bytes, respond: Respond) -> None:
        """Answer one body."""
        try:
            fields, labelled = self._reader.read(body)
            if fields.observations is not UNSET and fields == ObserveBody(observations=fields.observations):
                self._observe_all(fields.observations, respond)
            else:
                self._give(feedback_request(fields, labelled), partial(_answer, respond))
        except Exception as error:
            respond(failed(error))

    def _observe_all(self, rows: list[Raw], respond: Respond) -> None:
        batch = Batch(len(rows), lambda outcomes: respond(_success(outcomes)))
        for index, row in enumerate(rows):
            place = batch.place(index)
            try:
                request = feedback_request(*self._reader.read(bytes(row)))
            except Exception as error:
                place(error)
            else:
                self._give(request, place)

    def _give(self, request: ObserveRequest | UpdateRequest, reply: Reply) -> None:
        if isinstance(request, UpdateRequest):
            self._application.update(request, reply)
        else:
            self._application.observe(request, reply)


class Update:
    """A labelled input, as Clipper's clients send it."""

    def __init__(self, application: Application, decode: Decode) -> None:
        self._update = application.update
        self._reader = BodyReader(UpdateBody, decode)

    def __call__(self, body: bytes, respond: Respond) -> None:
        """Answer one body."""
        try:
            self._update(update_request(*self._reader.read(body)), partial(_answer, respond))
        except Exception as error:
            respond(failed(error))


def _answer(respond: Respond, outcome: PredictReply | ObserveReply | Exception) -> None:
    respond(failed(outcome) if isinstance(outcome, Exception) else Response(200, _encode(outcome)))


def _success(content: object) -> Response:
    return Response(200, _encode(content))
