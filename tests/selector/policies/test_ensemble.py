"""The ensemble: better than its best model, back after a failure, and honest about what it does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from selector import Ensemble
from selector.calibration import Calibration
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policies.ensemble import EnsembleState

MODELS = ("cnn:1", "forest:1", "svm:1")
ASKED = (Selection(MODELS, 1.0),)
POLICY = Ensemble()

World = Callable[[Random], tuple[int, dict[str, Prediction]]]


def learn(state: EnsembleState, said: Mapping[str, Prediction], losses: Mapping[str, float]) -> EnsembleState:
    decision = Decision("", Query(1, MODELS), 0.0, "ensemble", ASKED, dict(said), Answer(None))
    return POLICY.observe(state, decision, dict(losses))


def stream(
    state: EnsembleState, world: World, queries: int, seed: int
) -> tuple[EnsembleState, list[bool], list[float]]:
    """Answers that were wrong, and confidences."""
    rng, wrong, confidences = Random(seed), [], []
    for _ in range(queries):
        label, said = world(rng)
        answer = POLICY.combine(state, Query(1, MODELS), ASKED, said)
        wrong.append(answer.output != label)
        confidences.append(answer.confidence or 0.0)
        state = learn(state, said, {m: float(p.output != label) for m, p in said.items()})
    return state, wrong, confidences


def noisy(rng: Random, errors: Mapping[str, float], classes: int = 5) -> tuple[int, dict[str, Prediction]]:
    label = rng.randrange(classes)
    said = {m: label if rng.random() >= e else (label + rng.randrange(1, classes)) % classes for m, e in errors.items()}
    return label, {m: Prediction(output) for m, output in said.items()}


def healthy(rng: Random) -> tuple[int, dict[str, Prediction]]:
    return noisy(rng, {"cnn:1": 0.05, "forest:1": 0.25, "svm:1": 0.35})


def failed(rng: Random) -> tuple[int, dict[str, Prediction]]:
    return noisy(rng, {"cnn:1": 0.8, "forest:1": 0.25, "svm:1": 0.35})


def experts(rng: Random) -> tuple[int, dict[str, Prediction]]:
    """Each model knows two classes and guesses at the others: each errs .56."""
    label = rng.randrange(6)
    own = MODELS[label // 2]
    return label, {m: Prediction(label if m == own else rng.randrange(6)) for m in MODELS}


def scored(rng: Random) -> tuple[int, dict[str, Prediction]]:
    """A score tells when a model guesses."""
    label = rng.randrange(4)
    said = {}
    for model in MODELS:
        knows = rng.random() < 0.5
        output = label if knows else rng.randrange(4)
        said[model] = Prediction(output, score=rng.uniform(0.8, 1.0) if knows else rng.uniform(0.3, 0.6))
    return label, said


def test_it_comes_back_within_tens_of_queries_after_a_failure_and_a_recovery() -> None:
    state, _, _ = stream(POLICY.initial_state(MODELS), healthy, 1_500, seed=1)
    state, fallen, _ = stream(state, failed, 800, seed=2)
    state, risen, _ = stream(state, healthy, 800, seed=3)
    assert sum(fallen[60:]) / len(fallen[60:]) < 0.28  # the best of the others errs .25: 740 draws, 3 sd are .05
    assert sum(risen[200:]) / len(risen[200:]) < 0.08  # the best errs .05, 3 sd are .027


def test_it_learns_which_model_knows_which_class() -> None:
    _, wrong, _ = stream(POLICY.initial_state(MODELS), experts, 1_500, seed=4)
    knowing = 4 / 9 * 1 / 2 + 1 / 9 * 2 / 3  # one, or both of the others, name a class of their own by chance
    assert sum(wrong[500:]) / 1_000 < knowing + 0.05  # 3 sd


def test_it_learns_what_scores_mean() -> None:
    _, wrong, _ = stream(POLICY.initial_state(MODELS), scored, 1_500, seed=5)
    silent = 0.5**3 * 0.75  # nobody knows, and the guess is wrong
    assert sum(wrong[500:]) / 1_000 < silent + 0.05


def test_confidence_is_the_share_of_right_answers() -> None:
    _, wrong, confidences = stream(POLICY.initial_state(MODELS), scored, 3_000, seed=6)
    late = sorted(zip(confidences[1_000:], wrong[1_000:], strict=True))
    for part in (late[:700], late[700:1_400], late[1_400:]):
        claimed = sum(confidence for confidence, _ in part) / len(part)
        right = 1 - sum(is_wrong for _, is_wrong in part) / len(part)
        assert abs(claimed - right) < 0.06  # 3 sd of 600 draws


def test_a_distribution_speaks_for_the_other_candidates_too() -> None:
    state, rng = POLICY.initial_state(MODELS), Random(7)
    for _ in range(400):
        label = rng.randrange(3)
        other = (label + 1) % 3
        torn = Prediction(other, probabilities=((other, 0.5), (label, 0.45), ((label + 2) % 3, 0.05)))
        said = {"cnn:1": torn, "forest:1": Prediction(label), "svm:1": Prediction((label + 2) % 3)}
        state = learn(state, said, {"cnn:1": 1.0, "forest:1": 0.0, "svm:1": 1.0})
    assert state.pool.voters[0].spread[0] > 0.1


def test_a_reward_of_zero_teaches_that_the_answer_was_wrong() -> None:
    said = {"cnn:1": Prediction(1), "forest:1": Prediction(1), "svm:1": Prediction(2)}
    state, _, _ = stream(POLICY.initial_state(MODELS), healthy, 300, seed=8)
    answers = []
    for _ in range(41):
        answers.append(POLICY.combine(state, Query(1, MODELS), ASKED, said))
        state = learn(state, said, {"cnn:1": 1.0, "forest:1": 1.0})  # nothing is known of the third
    assert (answers[0].output, answers[-1].output) == (1, 2)
    assert (answers[3].confidence or 0.0) < 0.9 * (answers[0].confidence or 0.0)


def test_a_hundred_models_are_pooled_in_bounded_memory() -> None:
    models = tuple(f"m{i:02}" for i in range(100))
    state, rng = POLICY.initial_state(models), Random(9)
    for _ in range(40):
        label = rng.randrange(3)
        said = {m: Prediction(label if rng.random() < 0.7 else rng.randrange(3)) for m in models}
        decision = Decision("", Query(1, models), 0.0, "ensemble", (Selection(models, 1.0),), said, Answer(None))
        state = POLICY.observe(state, decision, {m: float(p.output != label) for m, p in said.items()})
    assert len(state.pool.leaders) == 8
    assert sum(len(voter.duels) for voter in state.pool.voters) == 28


def test_models_that_do_not_lead_may_answer_in_place_of_leaders() -> None:
    models = tuple(f"m{i}" for i in range(10))
    state = POLICY.initial_state(models)
    assert state.pool.leaders == list(range(8))
    said = {model: Prediction(int(model == "m9")) for model in models[2:]}
    asked = (Selection(models, 1.0),)
    assert POLICY.combine(state, Query(1, models), asked, said).output == 0
    decision = Decision("", Query(1, models), 0.0, "ensemble", asked, said, Answer(0))
    state = POLICY.observe(state, decision, {m: float(p.output) for m, p in said.items()})
    assert [voter.accuracy.labels[1] for voter in state.pool.voters] == [2.0, 2.0, *[3.0] * 8]


def test_confidence_stays_the_share_of_right_answers_where_predictions_are_missing() -> None:
    state, rng, claims = POLICY.initial_state(MODELS), Random(10), list[tuple[int, float, bool]]()
    for i in range(4_000):
        label, said = noisy(rng, {"cnn:1": 0.1, "forest:1": 0.2, "svm:1": 0.3})
        here = {m: p for m, p in said.items() if rng.random() >= 0.3} or dict([said.popitem()])
        answer = POLICY.combine(state, Query(1, MODELS), ASKED, here)
        if i >= 1_000:
            claims.append((len(here), answer.confidence or 0.0, answer.output == label))
        state = learn(state, here, {m: float(p.output != label) for m, p in here.items()})
    for arrived in (1, 2, 3):
        claimed = [confidence for n, confidence, _ in claims if n == arrived]
        right = [is_right for n, _, is_right in claims if n == arrived]
        assert abs(sum(claimed) / len(claimed) - sum(right) / len(right)) < 0.06  # 3 sd of 550 draws


def test_a_fold_goes_on_from_its_snapshot_as_if_it_had_never_stopped() -> None:
    rng, state = Random(11), POLICY.initial_state(MODELS)
    resumed = POLICY.decode(POLICY.encode(state))
    for i in range(600):
        label, said = strange(rng)
        if i in (200, 400):
            models = MODELS if i == 400 else MODELS[1:]
            state, resumed = POLICY.with_models(state, models), POLICY.with_models(resumed, models)
        losses = {m: float(p.output != label) for m, p in said.items()}
        state, resumed = learn(state, said, losses), learn(resumed, said, losses)
        if i % 50 == 0:
            assert POLICY.encode(state) == POLICY.encode(resumed)
            resumed = POLICY.decode(POLICY.encode(resumed))
    assert POLICY.encode(state) == POLICY.encode(resumed)


def strange(rng: Random) -> tuple[str | int | float | bool, dict[str, Prediction]]:
    """Labels of all kinds, scores and distributions for some models, others missing."""
    labels = ("cat", 7, 2.5, True, "7")
    label = rng.choice(labels)
    said = {}
    for model in MODELS:
        output = label if rng.random() < 0.7 else rng.choice(labels)
        kind = rng.randrange(4)
        if kind == 1:
            said[model] = Prediction(output)
        elif kind == 2:
            said[model] = Prediction(output, score=rng.random())
        elif kind == 3:
            said[model] = Prediction(output, probabilities=((output, 0.6), (rng.choice(labels), 0.4)))
    return label, said


def test_the_weighted_vote_answers_once_it_was_right_more_often_where_the_pool_was_wrong() -> None:
    state = POLICY.initial_state(MODELS)
    said = {"cnn:1": Prediction("cat"), "forest:1": Prediction("dog"), "svm:1": Prediction("dog")}
    for _ in range(10):
        state = learn(state, said, {"cnn:1": 1.0, "forest:1": 0.0, "svm:1": 0.0})
    state.weights.logs = [0.0, -5.0, -5.0]
    state.precedence.first, state.precedence.first_if_sure, state.precedence.second = 0.24, 0.3, 0.46
    assert POLICY.combine(state, Query(1, MODELS), ASKED, said).output == "dog"
    state = learn(state, said, {"cnn:1": 0.0, "forest:1": 1.0, "svm:1": 1.0})
    assert POLICY.combine(state, Query(1, MODELS), ASKED, said).output == "cat"


def test_where_another_policy_asked_one_model_alone_the_others_count_as_missing() -> None:
    state, said = POLICY.initial_state(MODELS), {"svm:1": Prediction("cat")}
    decision = Decision("", Query(1, MODELS), 0.0, "exp3", (Selection(("svm:1",), 0.3),), said, Answer("cat"))
    state = POLICY.observe(state, decision, {"svm:1": 1.0})
    assert state.complete == Calibration()
    assert state.partial != Calibration()


def test_what_only_users_need_is_counted_from_the_first_of_them_on() -> None:
    policy, models = Ensemble(), ("cnn", "svm")
    said = {"cnn": Prediction(1), "svm": Prediction(2)}
    seen = []
    state = policy.initial_state(models)
    for user in (None, None, "ann", None, "bob"):
        decision = Decision("", Query(1, models, user), 0.0, "ensemble", (Selection(models, 1.0),), said, Answer(1))
        state = policy.observe(state, decision, {"cnn": 0.0, "svm": 1.0})
        seen.append(state.record.wholes[0][1])
    assert seen == [0, 0, 1, 2, 3]
