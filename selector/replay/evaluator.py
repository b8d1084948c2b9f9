"""The evaluator: a log and candidates in, estimates with intervals and warnings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from selector.policy import Policy
from selector.replay.errors import InvalidCandidate
from selector.replay.estimators import ESTIMATORS
from selector.replay.evaluation import Evaluation
from selector.replay.judgement import judge
from selector.replay.learning import Rejection, constant
from selector.replay.logged import Floats, LoggedDecisions
from selector.replay.source import Matrix, Memory, Source, code_actions
from selector.replay.survey import Survey
from selector.replay.tally import bounds_of, tally

_MOST_UNUSED = 20.0  # a learning candidate takes at least one in so many of the rows that a uniform log would give it

Candidate = Policy[Any] | ArrayLike


def evaluate(
    log: LoggedDecisions,
    candidates: Mapping[str, Candidate],
    estimators: Sequence[str] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    *,
    reward_model: ArrayLike | None = None,
) -> Evaluation:
    """What each candidate would have earned a decision, had it made them.

    A candidate is an array [n, k] of probabilities (or [k], the same for all decisions) or a policy; columns are
    actions: 0 to k - 1, or the log's in sorted order. A policy that learns is replayed from nothing by rejection
    sampling. `estimators` are names of `selector.replay.ESTIMATORS`, all that apply if None, the default first;
    `reward_model` [n, k] are expected rewards, if they are to be used instead of a model fitted to `log.contexts`.
    Raises InvalidLog, or InvalidCandidate.
    """
    if not 0.0 < confidence < 1.0:
        raise InvalidCandidate(f"confidence: expected a number between 0 and 1, found {confidence:g}")
    if seed < 0:
        raise InvalidCandidate(f"seed: expected a number that is at least 0, found {seed}")
    fixed, learning = _split(log, candidates)
    predicted = None if reward_model is None else np.asarray(reward_model, dtype=np.float64)
    source = Memory(log, fixed, predicted)
    return evaluate_source(source, learning, estimators, confidence, seed, has_model=predicted is not None)


def evaluate_source(
    source: Source,
    learning: Mapping[str, Policy[Any]],
    estimators: Sequence[str] | None,
    confidence: float,
    seed: int,
    *,
    has_model: bool = False,
) -> Evaluation:
    """The same for a log that is read in parts, twice: memory does not grow with it."""
    names = _estimators(estimators)
    fit = not has_model and any(ESTIMATORS[name].takes_model for name in names)
    survey = Survey(source, seed, fit, "mrdr" in names)
    least = max(survey.probabilities[0], 1.0 / (_MOST_UNUSED * len(source.actions)))
    bounds = bounds_of(survey)
    learners = {n: Rejection(n, policy, source.actions, least, seed, bounds) for n, policy in learning.items()}
    readings = tally(source, survey, learners, seed)
    return judge(survey, readings, names, confidence, seed, learners)


def _estimators(names: Sequence[str] | None) -> list[str]:
    if names is None:
        return list(ESTIMATORS)
    for name in names:
        if name not in ESTIMATORS:
            raise InvalidCandidate(f"unknown estimator {name!r}; there are {', '.join(ESTIMATORS)}")
    if not names:
        raise InvalidCandidate("expected at least one estimator, found none")
    return list(dict.fromkeys(names))


def _split(
    log: LoggedDecisions, candidates: Mapping[str, Candidate]
) -> tuple[dict[str, Matrix], dict[str, Policy[Any]]]:
    """Candidates as probabilities, and those that learn."""
    if not candidates:
        raise InvalidCandidate("expected at least one candidate, found none")
    policies = {name: each for name, each in candidates.items() if isinstance(each, Policy)}
    matrices: dict[str, Matrix] = {
        name: _matrix(name, each) for name, each in candidates.items() if not isinstance(each, Policy)
    }
    columns = next((matrix.shape[-1] for matrix in matrices.values() if isinstance(matrix, np.ndarray)), None)
    actions, _ = code_actions(log.actions, columns)
    for name, policy in policies.items():
        if policy.learns_from == "nothing":
            matrices[name] = constant(name, policy, actions)
    return matrices, {name: policy for name, policy in policies.items() if policy.learns_from != "nothing"}


def _matrix(name: str, values: ArrayLike) -> Floats:
    try:
        matrix = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidCandidate(f"candidate {name!r}: expected a policy or probabilities ({error})") from None
    if matrix.ndim not in (1, 2):
        raise InvalidCandidate(f"candidate {name!r}: expected an array [n, k], found {matrix.ndim} dimensions")
    return matrix
