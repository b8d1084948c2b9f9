"""Everybody's fold: nobody can bend it alone, and it is the same from any snapshot."""

from __future__ import annotations

from selector import Exp4
from selector.decisions import Answer, Decision, Entry, Feedback, HealthChanged, ModelsChanged, Prediction, Query
from selector.health import Standing
from selector.learner import Learner
from selector.losses import ZeroOne
from selector.population import Population

MODELS = ("a:1", "b:1")


def begun(influence: float = 1.0) -> Population:
    population = Population(Exp4(), ZeroOne(), influence=influence)
    population.fold(Entry(1, "app", None, 0.0, ModelsChanged(MODELS)))
    return population


def said(position: int, user: str | None, label: int) -> Entry:
    decision = Decision("app", Query(position, MODELS, user), 0.0, "exp4", (), SPOKEN, Answer(7))
    return Entry(position, "app", user, 0.0, Feedback((position,), label=label), (decision,))


SPOKEN = {"a:1": Prediction(7), "b:1": Prediction(3)}


def losses(population: Learner) -> list[float]:
    return list(population.state.tally.losses)


def test_one_user_among_many_teaches_a_bounded_share() -> None:
    population = begun(influence=0.1)
    position = 2
    for i in range(200):
        for user, label in ((f"honest {i % 50}", 7), *[("liar", 3)] * 5):
            population.fold(said(position, user, label))
            position += 1
    right, wrong = losses(population)[1], losses(population)[0]  # 7 is the loss of b, 3 that of a
    assert right == 200
    assert wrong <= 0.1 * (right + wrong) + 1


def test_feedback_without_a_user_and_without_a_bound_is_always_learned() -> None:
    bounded, free = begun(influence=0.1), begun()
    for position in range(2, 52):
        bounded.fold(said(position, None, 3))
        free.fold(said(position, "ann", 3))
    assert losses(bounded) == losses(free) == [50, 0]


def test_a_fold_from_a_snapshot_is_the_fold_from_the_beginning() -> None:
    log = [said(position, f"user {position % 7}", 3 + 4 * (position % 3 == 0)) for position in range(2, 300)]
    whole = begun(influence=0.2).fold_all(log)
    half = begun(influence=0.2).fold_all(log[:150])
    resumed = Population(Exp4(), ZeroOne(), influence=0.2)
    resumed.restore(half.encode(), half.position)
    assert resumed.fold_all(log).encode() == whole.encode()
    assert whole.differences.pairs > 0


def test_a_user_is_met_as_far_as_users_differ() -> None:
    population, ann = begun(), Learner(Exp4(), ZeroOne())
    ann.fold(Entry(1, "app", None, 0.0, ModelsChanged(MODELS)))
    for position in range(2, 202):
        entry = said(position, "ann" if position % 2 else "bob", 3 if position % 2 else 7)
        population.fold(entry)
        if position % 2:
            ann.fold(entry)
    assert population.differences.strength < 10
    weights = population.met(ann).of(MODELS)
    assert weights[1] > 0.9 > weights[0]


def test_health_is_what_was_said_last_of_each_model_that_is_there() -> None:
    population = begun()
    assert population.health == {}
    changes = [
        HealthChanged("b:1", "suspect", "it errs more"),
        HealthChanged("a:1", "quarantined", "it failed", {"loss": (0.1, 0.9)}),
        HealthChanged("b:1", "healthy", "it is back"),
        HealthChanged("nobody:1", "suspect", "it is not here"),
    ]
    population.fold_all(Entry(at, "app", None, float(at), change) for at, change in enumerate(changes, 2))
    assert list(population.health) == ["a:1", "b:1"]
    assert population.health["a:1"] == Standing("quarantined", 3.0, "it failed", {"loss": (0.1, 0.9)})
    assert population.health["b:1"].state == "healthy"
    resumed = begun()
    resumed.restore(population.encode(), population.position)
    assert (resumed.health, resumed.encode()) == (population.health, population.encode())
    resumed.fold(Entry(6, "app", None, 6.0, ModelsChanged(("b:1",))))
    assert list(resumed.health) == ["b:1"]
