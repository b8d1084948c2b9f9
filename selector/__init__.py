"""The selection layer: which model to ask, how to combine answers, what to learn from feedback. Pure: no I/O."""

from selector.policies import (
    UCB1,
    AnyPolicy,
    Auto,
    Ensemble,
    EpsilonGreedy,
    Exp3,
    Exp4,
    LinearThompson,
    LinUCB,
    MajorityVote,
    Static,
    Thompson,
    TrackAndStop,
    Vowpal,
)

__all__ = [
    "UCB1",
    "AnyPolicy",
    "Auto",
    "Ensemble",
    "EpsilonGreedy",
    "Exp3",
    "Exp4",
    "LinUCB",
    "LinearThompson",
    "MajorityVote",
    "Static",
    "Thompson",
    "TrackAndStop",
    "Vowpal",
]
