"""All policies, by name."""

from selector.policies.exp3 import Exp3
from selector.policies.exp4 import Exp4
from selector.policies.majority_vote import MajorityVote
from selector.policies.static import Static

AnyPolicy = Static | Exp3 | Exp4 | MajorityVote

__all__ = ["AnyPolicy", "Exp3", "Exp4", "MajorityVote", "Static"]
