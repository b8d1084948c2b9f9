"""Thompson sampling: the table of P(best) against sampling, at all concentrations, and its age."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from selector import Thompson
from selector.decisions import Answer, Decision, Prediction, Query, Selection
from selector.policies.best_arm import chances_of_best
from selector.policies.tally import Tally
from selector.policies.thompson import Posterior
from tests.selector.worlds import MODELS, trained

DRAWS = 200_000


@pytest.mark.parametrize(
    "posteriors",
    [
        [(1.0, 1.0)] * 5,
        [(90.0, 10.0), (85.0, 15.0), (8.0, 2.0), (70.0, 30.0), (1.0, 1.0)],
        [(9.000e5, 1e5), (9.003e5, 1e5), (9.005e5, 1e5)],
        [(9e5, 1e5), (9e4, 1e4), (10.0, 1.0), (1.0, 1.0)],
        [(1.0, 1e6), (1.0, 1e6), (2.0, 1e6)],
        [(1e6, 1.0), (1e6, 2.0), (3.0, 1.0)],
    ],
    ids=["flat", "mixed", "a million each", "a million and one", "hopeless", "faultless"],
)
def test_chances_of_being_the_best_agree_with_sampling(posteriors: list[tuple[float, float]]) -> None:
    a, b = np.array(posteriors).T
    # In log odds: near 1, doubles are too coarse to tell the rates of faultless models apart.
    rng = np.random.default_rng(1)
    wins, losses = rng.gamma(a, size=(DRAWS, len(a))), rng.gamma(b, size=(DRAWS, len(b)))
    best = np.bincount((np.log(wins) - np.log(losses)).argmax(axis=1), minlength=len(a))
    for chance, count in zip(chances_of_best(posteriors), best, strict=True):
        tail = min(binom.cdf(count, DRAWS, chance), binom.sf(count - 1, DRAWS, chance))
        assert tail > 1e-7


def test_two_models_have_a_closed_form() -> None:
    """P(Beta(2, 1) > Beta(1, 1)) = 2 / 3."""
    assert chances_of_best([(2.0, 1.0), (1.0, 1.0)]) == pytest.approx([2 / 3, 1 / 3], abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 1e7), st.floats(1, 1e7)), max_size=8))
def test_chances_are_a_distribution_whatever_the_posteriors(posteriors: list[tuple[float, float]]) -> None:
    chances = chances_of_best(posteriors)
    assert all(0 <= chance <= 1 for chance in chances)
    assert sum(chances) == pytest.approx(1 if posteriors else 0)


def test_the_table_is_kept_for_a_hundredth_of_the_feedback() -> None:
    policy = Thompson()
    state = trained(policy, 1_000)
    tables = []
    decision = Decision(
        "", Query(1, MODELS), 0.0, "", (Selection(("svm:1",), 0.1),), {"svm:1": Prediction(1)}, Answer(1)
    )
    for _ in range(22):
        state = policy.observe(state, decision, {"svm:1": 0.0})
        tables.append(tuple(state.table))
    assert len(set(tables)) == 3  # the one it had, and two refreshes in 22 feedbacks at n of about 1,000


def test_losses_between_zero_and_one_count_in_part() -> None:
    policy = Thompson()
    decision = Decision("", Query(1, MODELS), 0.0, "", (Selection(("svm:1",), 0.1),), {}, Answer(1))
    state = policy.observe(policy.initial_state(MODELS), decision, {"svm:1": 0.25})
    assert state.table == pytest.approx(chances_of_best([(1.0, 1.0), (1.0, 1.0), (1.75, 1.25)]))


def test_where_the_table_says_nothing_about_who_is_left_they_are_compared_anew() -> None:
    policy = Thompson()
    tally = Tally(MODELS, [1e3, 1e3, 1e3], [100, 300, 310])
    state = policy.with_models(Posterior(tally), MODELS)
    assert 0 < sum(state.table[1:]) < 1e-12
    left = Query(1, ("forest:1", "svm:1"))
    assert policy.chances(state, left) == pytest.approx(chances_of_best([(701, 301), (691, 311)]))
    selection = policy.select(state, left, (), {}, Random(1))
    assert selection is not None
    assert selection.models == ("forest:1",)


def test_a_user_who_was_heard_is_less_sure_than_everyone_and_believes_shrunk_means() -> None:
    policy = Thompson()
    everyone, own = Tally(MODELS, [1e4, 1e2, 1e2], [1e3, 40, 60]), Tally(MODELS, [10, 0, 0], [6, 0, 0])
    user = policy.blend(Posterior(everyone), Posterior(own, clock=10), 10.0)
    k, rare = 1 / (1 / 10 + 1 / 1e4), 1 / (1 / 10 + 1 / 1e2)  # not more than everyone knows
    assert user.tally.counts == pytest.approx([(1e4 * (10 + k)) ** 0.5, (1e2 * rare) ** 0.5, (1e2 * rare) ** 0.5])
    means = [loss / count for loss, count in zip(user.tally.losses, user.tally.counts, strict=True)]
    assert means == pytest.approx([(6 + k * 0.1) / (10 + k), 0.4, 0.6])
