"""From what the policy combined to what the application gets: sure or unsure, default or error."""

from __future__ import annotations

from selector.decisions import Answer
from selector.errors import WindjammerError
from serving.batching.queue import Expired
from serving.config import ApplicationConfig
from serving.errors import DeadlineExceeded, ModelFailed
from serving.gathering import Gathering


def final_answer(config: ApplicationConfig, combined: Answer, gathering: Gathering) -> Answer:
    """The answer as it leaves and is logged.

    Nothing to say: the default output with the reason. Unsure with `when_unsure = "default"`: the
    same. Raises the error that explains why there is nothing where the application has no default.
    """
    if combined.output is None:
        error = why_nothing(gathering)
        if config.default_output is None:
            raise error
        return Answer(config.default_output, None, _unless(config, False), True, str(error))
    if config.target_error is None:
        return combined
    confidence = combined.confidence
    sure = confidence is not None and 1.0 - confidence <= config.target_error
    if sure or config.when_unsure == "answer" or config.default_output is None:
        return Answer(combined.output, confidence, sure)
    explanation = f"Unsure: the target error is {config.target_error:g}, the confidence {_shown(confidence)}"
    return Answer(config.default_output, confidence, False, True, explanation)


def why_nothing(gathering: Gathering) -> WindjammerError:
    """Why no model has answered."""
    errors = gathering.errors.values()
    if gathering.pending > 0 or any(isinstance(error, Expired) for error in errors):
        milliseconds = (gathering.deadline - gathering.started) * 1000
        return DeadlineExceeded(f"No prediction arrived within {milliseconds:g} ms")
    return next(iter(errors), ModelFailed("No model is available"))


def _unless(config: ApplicationConfig, sure: bool) -> bool | None:
    return None if config.target_error is None else sure


def _shown(confidence: float | None) -> str:
    return "unknown" if confidence is None else f"{confidence:.3f}"
