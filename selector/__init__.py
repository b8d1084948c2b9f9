"""The selection layer: which model to ask, how to combine answers, what to learn from feedback. Pure: no I/O."""

from selector.policies import AnyPolicy, Exp3, Exp4, MajorityVote, Static

__all__ = ["AnyPolicy", "Exp3", "Exp4", "MajorityVote", "Static"]
