"""How much users differ: measured from their own feedbacks, and nothing is made of chance."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
import pytest
from scipy.stats import binom

from selector.differences import Differences

Rates = Callable[[int], dict[str, float]]


def learned(rates: Rates, users: int, feedbacks: int, seed: int = 1, hard: float = 0.0) -> Differences:
    """Zero-one losses at each user's own rates; with probability `hard` an input is wrong for every model."""
    rng, differences = Random(seed), Differences()
    for _ in range(feedbacks):
        user = rng.randrange(users)
        is_hard = rng.random() < hard
        losses = {model: float(is_hard or rng.random() < rate) for model, rate in rates(user).items()}
        differences.add(f"user {user}", losses)
    return differences


def taking_turns(user: int) -> dict[str, float]:
    """Half of the users are served well by one model, the others by the other."""
    return {"cnn:1": 0.2, "svm:1": 0.4} if user % 2 else {"cnn:1": 0.4, "svm:1": 0.2}


def all_alike(_: int) -> dict[str, float]:
    return {"cnn:1": 0.2, "svm:1": 0.4}


def test_the_strength_is_the_variance_within_users_over_that_between_them() -> None:
    strength = learned(taking_turns, users=100, feedbacks=20_000).strength
    within, between = 0.2 * 0.8 + 0.4 * 0.6, 2 * 0.1**2  # of the difference of the two losses
    assert strength == pytest.approx(within / (2 * between), rel=0.25)


@pytest.mark.parametrize(("hard", "runs"), [(0.0, 40), (0.3, 8)])
def test_users_who_do_not_differ_are_left_to_the_population(hard: float, runs: int) -> None:
    strengths = [learned(all_alike, 100, 3_000, seed, hard).strength for seed in range(runs)]
    assert min(strengths) > 40
    # chance exceeds one standard error in 16% of the runs: so often at most once in ten thousand such tests
    assert sum(strength < 1e4 for strength in strengths) <= binom.isf(1e-4, runs, 0.16)


def test_one_model_asked_at_a_time_is_enough() -> None:
    def one_of_two(user: int) -> dict[str, float]:
        model = ("cnn:1", "svm:1")[user // 2 % 2]
        return {model: taking_turns(user)[model]}

    assert 8 < learned(one_of_two, users=100, feedbacks=20_000).strength < 40


def test_users_are_taken_to_differ_as_is_usual_before_someone_came_back() -> None:
    differences = Differences()
    assert differences.strength == 5
    for user in range(100):
        differences.add(str(user), {"cnn:1": float(user % 2)})
    assert differences.strength == 5


def test_what_is_usual_fades_as_users_come_back() -> None:
    """For whom one model is always right, or the other: feedback after feedback the same."""
    differences = Differences()
    strengths = []
    for i in range(400):
        differences.add(str(i % 4), {"cnn:1": float(i % 2), "svm:1": float(i % 2 == 0)})
        strengths.append(differences.strength)
    assert strengths[:4] == [5] * 4  # nobody had come back
    assert 1 < strengths[20] < 5
    assert strengths[-1] < 1


def test_the_first_who_comes_back_does_not_tell_that_nobody_differs() -> None:
    """The model that was wrong then is right now: one residual, small beside those of the others who came."""
    differences = Differences()
    for user in range(10):
        differences.add(str(user), {"cnn:1": float(user == 6), "svm:1": float(user in (1, 7))})
    differences.add("1", {"cnn:1": 0.0, "svm:1": 0.0})
    assert differences.pairs == 1
    assert 4 < differences.strength < 7


def test_feedback_that_scores_no_model_tells_nothing() -> None:
    known, with_nothing = learned(taking_turns, 20, 500), learned(taking_turns, 20, 500)
    for _ in range(500):
        with_nothing.add("user 1", {})
    assert with_nothing == known


def test_memory_is_bounded_and_whoever_comes_often_is_followed() -> None:
    rng, differences = Random(3), Differences()
    for i in range(20_000):
        user = f"regular {i % 20}" if i % 2 else f"stranger {rng.random()}"
        rates = taking_turns(i // 2 % 2)
        differences.add(user, {model: float(rng.random() < rate) for model, rate in rates.items()})
    assert len(differences.guests) <= 512
    followed = sorted((sum(guest.counts.values()) for guest in differences.guests.values()), reverse=True)
    assert followed[9] > 500
    assert len(msgspec.msgpack.encode(differences)) < 100_000


def test_models_that_left_are_forgotten_and_the_rest_survives_its_encoding() -> None:
    differences = learned(taking_turns, users=50, feedbacks=500)
    differences.keep(("svm:1",))
    assert set(differences.means) == {"svm:1"}
    assert all(set(guest.sums) <= {"svm:1"} for guest in differences.guests.values())
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(differences), type=Differences)
    assert again == differences
    assert again.strength == differences.strength
