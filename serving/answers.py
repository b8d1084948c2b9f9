"""From what the models answered together to what the application gets: it, the default, or an error."""

from __future__ import annotations

from selector.decisions import Answer
from selector.errors import WindjammerError
from serving.batching.queue import Expired
from serving.config import ApplicationConfig
from serving.errors import DeadlineExceeded, ModelFailed
from serving.gathering import Gathering


def final_answer(config: ApplicationConfig, judged: Answer, gathering: Gathering) -> Answer:
    """The answer as it leaves and is logged.

    Nothing to say: the default output with the reason. Unsure with `when_unsure = "default"`: the
    same. Raises the error that explains why there is nothing where the application has no default.
    """
    if judged.output is None:
        error = why_nothing(gathering)
        if config.default_output is None:
            raise error
        return Answer(config.default_output, None, None if config.target_error is None else False, True, str(error))
    if judged.sure is not False or config.when_unsure == "answer" or config.default_output is None:
        return judged
    confidence = "unknown" if judged.confidence is None else f"{judged.confidence:.3f}"
    explanation = f"Unsure: the target error is {config.target_error:g}, the confidence {confidence}"
    default, withheld = config.default_output, judged.output
    return Answer(default, judged.confidence, False, True, explanation, withheld, judged.interval, judged.top)


def why_nothing(gathering: Gathering) -> WindjammerError:
    """Why no model has answered."""
    errors = gathering.errors.values()
    if gathering.pending > 0 or any(isinstance(error, Expired) for error in errors):
        milliseconds = (gathering.deadline - gathering.started) * 1000
        return DeadlineExceeded(f"No prediction arrived within {milliseconds:g} ms")
    return next(iter(errors), ModelFailed("No model is available"))
