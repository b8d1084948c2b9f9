"""What would have happened with another policy: estimates from logged decisions, with intervals."""

from selector.replay.errors import InvalidCandidate, InvalidLog
from selector.replay.estimators import DEFAULT, ESTIMATORS
from selector.replay.evaluation import Difference, Estimate, Evaluation
from selector.replay.evaluator import evaluate, evaluate_source
from selector.replay.logged import LoggedDecisions
from selector.replay.simulation import simulate

__all__ = [
    "DEFAULT",
    "ESTIMATORS",
    "Difference",
    "Estimate",
    "Evaluation",
    "InvalidCandidate",
    "InvalidLog",
    "LoggedDecisions",
    "evaluate",
    "evaluate_source",
    "simulate",
]
