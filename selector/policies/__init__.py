"""All policies, by name."""

from selector.policies.auto import Auto
from selector.policies.ensemble import Ensemble
from selector.policies.epsilon_greedy import EpsilonGreedy
from selector.policies.exp3 import Exp3
from selector.policies.exp4 import Exp4
from selector.policies.linear_thompson import LinearThompson
from selector.policies.linucb import LinUCB
from selector.policies.majority_vote import MajorityVote
from selector.policies.static import Static
from selector.policies.thompson import Thompson
from selector.policies.track_and_stop import TrackAndStop
from selector.policies.ucb1 import UCB1
from selector.policies.vowpal import Vowpal

AnyPolicy = (
    Static
    | EpsilonGreedy
    | UCB1
    | Thompson
    | TrackAndStop
    | Exp3
    | Exp4
    | MajorityVote
    | Ensemble
    | LinUCB
    | LinearThompson
    | Vowpal
    | Auto
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
