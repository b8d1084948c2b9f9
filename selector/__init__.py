"""The selection layer: which model to ask, how to combine answers, what to learn from feedback. Pure: no I/O."""

from selector.policies import (
    UCB1,
    AnyPolicy,
    Cascade,
    Ensemble,
    EpsilonGreedy,
    Exp3,
    Exp4,
    MajorityVote,
    Static,
    Thompson,
    TrackAndStop,
    Vowpal,
)

__all__ = [
    "UCB1",
    "AnyPolicy",
    "Cascade",
    "Ensemble",
    "EpsilonGreedy",
    "Exp3",
    "Exp4",
    "MajorityVote",
    "Static",
    "Thompson",
    "TrackAndStop",
    "Vowpal",
]
