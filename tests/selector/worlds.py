"""A world in which policies can be watched: three models of different strength, and what came of asking them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple, get_args

from scipy.stats import binom

from selector import AnyPolicy, Auto, LinearThompson, LinUCB, MajorityVote, Vowpal
from selector.decisions import Decision, Feedback, Prediction, Query
from selector.losses import Absolute, ZeroOne, losses_of
from selector.policy import Policy, Study
from tests.benchmarks.model_failure import decide

ERRORS = {"cnn:1": 0.1, "forest:1": 0.4, "svm:1": 0.6}
MODELS = tuple(ERRORS)
CLASSES = 4
CHANCE = sum(ERRORS.values()) / len(ERRORS)


class Step(NamedTuple):
    """A decision, the losses that its feedback told, and whether its answer was wrong."""

    decision: Decision
    losses: dict[str, float]
    wrong: bool


SETTINGS: dict[str, dict[str, Any]] = {
    "static": {"model": "cnn"},
    "cascade": {"beginning": 5, "exploration": 0.3},  # so that all its stages are reached in short games
}
POLICIES: list[Policy[Any]] = [
    kind(**SETTINGS.get(kind.__struct_config__.tag, {}), task=task)
    for kind in get_args(AnyPolicy)
    for task in ("classification", "regression")
]
POLICIES += [
    Auto(asks="one"),
    MajorityVote(top=2),
    Vowpal(exploration="cover"),
    Vowpal(exploration="bag"),
    Vowpal(exploration="regcb"),
    LinUCB(discount=0.99),
    LinearThompson(discount=0.99, dimension=16),
]
CLASSIFIERS = [policy for policy in POLICIES if policy.task == "classification"]
LEARNERS = [policy for policy in CLASSIFIERS if policy.learns_from != "nothing"]


def title(policy: Policy[Any]) -> str:
    """How a policy is called in a test's name."""
    told = [policy.name, policy.task]
    if isinstance(policy, Vowpal):
        told.append(policy.exploration)
    if isinstance(policy, MajorityVote) and policy.top > 1:
        told.append(f"top{policy.top}")
    if isinstance(policy, Auto):
        told.append(policy.asks)
    return "-".join(told)


def truth_and_predictions(rng: Random, errors: Mapping[str, float] = ERRORS) -> tuple[int, dict[str, Prediction]]:
    """A label, and what each model says: the label, or with its error rate another one."""
    label = rng.randrange(CLASSES)
    said = {m: label if rng.random() >= e else (label + rng.randrange(1, CLASSES)) % CLASSES for m, e in errors.items()}
    return label, {model: Prediction(output, score=0.5) for model, output in said.items()}


def play(
    policy: Policy[Any], state: Any, queries: int, seed: int, available: Sequence[str] = MODELS, delay: int = 1
) -> tuple[Any, list[Step]]:
    """Decide and learn; feedback comes in random order once `delay` decisions wait for it. The state, and the log."""
    rng, log, waiting = Random(seed), list[Step](), list[Step]()
    loss = ZeroOne() if policy.task == "classification" else Absolute(scale=CLASSES)
    for i in range(queries):
        label, outputs = truth_and_predictions(rng)
        query = Query(i, tuple(available), user=f"u{i % 20}", features={"length": i % 5, "language": "en"})
        decision = decide(policy, state, query, outputs, rng)
        losses = losses_of(decision, Feedback((i,), label), loss)
        waiting.append(Step(decision, losses, decision.answer.output != label))
        if len(waiting) == delay or i == queries - 1:
            rng.shuffle(waiting)
            state = fold(policy, state, waiting)
            log += waiting
            waiting.clear()
    return state, log


def trained(policy: Policy[Any], queries: int = 250, seed: int = 1) -> Any:
    """A state that has learned a little, of its own for each caller; queries is no multiple of Vowpal's saves."""
    key = policy.settings, queries, seed
    if key not in _TRAINED:
        _TRAINED[key] = policy.encode(play(policy, policy.initial_state(MODELS), queries, seed)[0])
    return policy.decode(_TRAINED[key])


_TRAINED: dict[tuple[str, int, int], bytes] = {}


def fold(policy: Study[Any], state: Any, log: Sequence[Step]) -> Any:
    """Observe a log in its order."""
    for step in log:
        state = policy.observe(state, step.decision, step.losses)
    return state


def chance_of_so_few(errors: int, queries: int, rate: float) -> float:
    """The probability of at most so many errors if each query failed with `rate`."""
    return float(binom.cdf(errors, queries, rate))
