"""Exact replay of an application's log: what it says is what would have happened."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as changed

from feedback_store.contract import Pending, Row
from feedback_store.memory import MemoryLog
from selector import Cascade, Ensemble, Exp3, Exp4, LinUCB, MajorityVote, Static, Thompson
from selector.certainty import Certainty
from selector.confidence import Threshold
from selector.decisions import (
    Answer,
    Decision,
    Feedback,
    ModelsChanged,
    PolicyChanged,
    Prediction,
    Query,
    Selection,
    encode,
)
from selector.fold import Fold
from selector.learner import Learner
from selector.losses import ZeroOne
from selector.policy import Policy
from selector.replay import InvalidLog
from selector.replay.contender import LOGGED
from selector.replay.exact import Setting, replay
from selector.replay.models import MeanReward
from selector.replay.partial import single_choices
from selector.replay.rehearsal import Judged, Rehearsal, course
from tests.benchmarks.model_failure import decide
from tests.selector.worlds import MODELS, truth_and_predictions

CASCADE = Cascade(costs={"cnn:1": 4.0, "forest:1": 1.0, "svm:1": 0.2})
SETTING = Setting(fold=Fold(policy=Exp4(), loss=ZeroOne()))


def reporting(model: str, prediction: Prediction, cost: float) -> Prediction:
    """The prediction, with its cost if it is the cnn's."""
    return changed(prediction, cost=cost) if model == "cnn:1" else prediction


class Recorder:
    """Runs a policy with feedback that comes `delay` decisions late, and keeps its log and its own record.

    The first `examples` are decisions of no policy.
    """

    def __init__(
        self,
        policy: Policy[Any],
        n: int,
        seed: int = 1,
        delay: int = 1,
        users: int = 0,
        *,
        shadows: bool = False,
        examples: int = 0,
    ) -> None:
        self.policy, self.log, self.record = policy, MemoryLog(), list[Decision]()
        self.examples = examples
        self.fold = Fold(policy=policy, loss=ZeroOne())
        self.learner = self.fold.everyone()
        self.users: dict[str, Learner] = {}
        self.rng = Random(seed)
        self._append(ModelsChanged(MODELS), None, 0.0)
        self._append(PolicyChanged(policy.settings), None, 0.0)
        world = Random(f"world {seed}")
        told = [truth_and_predictions(world) for _ in range(n)]
        self.joined = [outputs for _, outputs in told] if shadows else [{}] * n
        for i in range(n + delay):
            if i < n:
                self._decide(i, told[i][1], f"u{i % users}" if users else None)
            if i >= delay:
                self.feedback(i - delay, told[i - delay][0], i + 0.5)

    def judged(self) -> Iterator[Judged]:
        return (Judged(decision, feedback) for decision, feedback in self.log.judged("a"))

    def feedback(self, query: int, label: int, at: float) -> None:
        user = self.record[query].query.user
        self._append(Feedback((query + 1,), label=label, joined=self.joined[query]), user, at)

    def _decide(self, i: int, outputs: dict[str, Prediction], user: str | None) -> None:
        own = None if user is None else self.users.get(user)
        state = self.learner.state if own is None else self.learner.met(own)
        decision = decide(self.policy, state, Query(i + 1, MODELS, user), outputs, self.rng)
        chosen_by = "" if i < self.examples else decision.policy
        decision = changed(decision, application="a", at=float(i), policy=chosen_by)
        self.record.append(decision)
        self.log.commit([Row(i + 1, "a", user, None, encode(decision))], [])

    def _append(self, event: Any, user: str | None, at: float) -> None:
        self.log.commit([], [Pending("a", user, at, event)])
        (entry,) = self.log.entries("a", self.learner.position)
        self.learner.fold(entry)
        if user is not None:
            if user not in self.users:
                about = [e for e in self.log.entries("a") if e.user is None]
                self.users[user] = self.fold.one().fold_all(about)
            self.users[user].fold(entry)


def rehearsed(policy: Policy[Any], recorder: Recorder, seed: int = 1) -> tuple[list[Decision], Rehearsal]:
    rehearsal, made = Rehearsal(Fold(policy=policy, loss=ZeroOne()), seed), []
    for event in course(recorder.judged(), recorder.log.entries("a")):
        if isinstance(event, Judged):
            made.append(rehearsal.decide(event))
        else:
            rehearsal.fold(event)
    return made, rehearsal


@pytest.mark.parametrize("delay", [1, 7])
@pytest.mark.parametrize(
    "policy",
    [Exp3(), Exp4(), Thompson(), Ensemble(), LinUCB(), MajorityVote(), CASCADE],
    ids=lambda p: p.name,
)
def test_a_policy_decides_as_it_did_when_it_ran(policy: Policy[Any], delay: int) -> None:
    """On the log of another policy, which asked all models; its feedback comes late, in between other decisions."""
    ran = Recorder(policy, 200, delay=delay)
    made, rehearsal = rehearsed(policy, Recorder(Exp4(), 200, delay=delay))
    assert made == ran.record
    assert rehearsal.missing == 0
    assert policy.encode(rehearsal.population.state) == policy.encode(ran.learner.state)


def test_a_policy_learns_from_what_it_would_have_asked_not_from_all_that_the_log_knows() -> None:
    ran = Recorder(Thompson(), 200)
    made, rehearsal = rehearsed(Thompson(), Recorder(Exp3(), 200, shadows=True))
    assert made == ran.record
    assert rehearsal.policy.encode(rehearsal.population.state) == ran.policy.encode(ran.learner.state)


def test_users_meet_their_own_states() -> None:
    ran = Recorder(Exp3(), 120, users=3)
    made, _ = rehearsed(Exp3(), Recorder(Exp4(), 120, users=3))
    assert [d.selections for d in made] == [d.selections for d in ran.record]


@pytest.mark.parametrize("policy", [Exp3(), Exp4(), Ensemble(), CASCADE], ids=lambda p: p.name)
def test_the_logged_choices_lead_to_the_very_state_of_the_server(policy: Policy[Any]) -> None:
    recorder = Recorder(policy, 100, delay=3, users=4)
    candidates: dict[str, Policy[Any]] = {"static": Static(model="cnn")}
    found = replay(recorder.judged(), recorder.log.entries("a"), candidates, Setting(fold=recorder.fold))
    assert found.states[LOGGED] == recorder.learner.encode()


def test_examples_teach_and_are_not_judged() -> None:
    recorder = Recorder(CASCADE, 100, examples=60)
    candidates: dict[str, Policy[Any]] = {"cascade": CASCADE, "vote": MajorityVote()}
    found = replay(recorder.judged(), recorder.log.entries("a"), candidates, Setting(fold=recorder.fold))
    assert found.decisions == 40
    assert {account.decisions.sum() for account in found.accounts.values()} == {40}
    assert found.states[LOGGED] == found.states["cascade"] == recorder.learner.encode()
    only = Recorder(CASCADE, 60, examples=60)
    with pytest.raises(InvalidLog, match="no decision with feedback"):
        replay(only.judged(), only.log.entries("a"), candidates, Setting(fold=only.fold))


def test_rewards_regret_and_the_best_model_are_those_of_the_record() -> None:
    recorder = Recorder(Exp4(), 300)
    candidates: dict[str, Policy[Any]] = {"static": Static(model="cnn"), "vote": MajorityVote()}
    found = replay(recorder.judged(), recorder.log.entries("a"), candidates, SETTING)
    static, vote = found.evaluation
    assert found.models["cnn:1"] == MeanReward(static.value, 300)
    assert static.value == max(alone.reward for alone in found.models.values())
    assert found.regret("static") == 0
    assert found.oracle is not None
    assert found.oracle.reward == pytest.approx(
        np.mean([any(p.output == j.feedback.label for p in j.predictions.values()) for j in recorder.judged()])
    )
    assert found.regret("vote") == pytest.approx(static.value - vote.value)
    assert static.low < static.value < static.high
    assert found.evaluation.logged.value == pytest.approx(1 - _error(recorder))
    assert found.accounts["static"].asked == 300
    assert found.accounts["vote"].asked == 900


def test_regret_is_against_models_of_which_the_log_tells_all() -> None:
    """A model that was asked once, and was right, is not the best."""
    recorder = Recorder(Static(model="svm"), 100)
    first, *others = recorder.judged()
    lucky = Judged(first.decision, changed(first.feedback, label=0, joined={"forest:1": Prediction(0)}))
    log = recorder.log.entries("a")
    found = replay([lucky, *others], log, {"svm": Static(model="svm"), "cnn": Static(model="cnn")}, SETTING)
    assert found.models["forest:1"] == MeanReward(1.0, 1)
    assert found.regret("svm") == pytest.approx(0)
    assert found.regret("cnn") is None
    chosen = Recorder(Exp3(), 100)
    assert (
        replay(chosen.judged(), chosen.log.entries("a"), {"svm": Static(model="svm")}, SETTING).regret(LOGGED) is None
    )


def test_a_model_that_was_late_is_judged_as_the_candidate_that_asks_it() -> None:
    recorder = Recorder(Exp4(), 60)
    judged = []
    for i, each in enumerate(recorder.judged()):
        in_time = {m: p for m, p in each.decision.predictions.items() if m != "cnn:1" or i % 3}
        judged.append(Judged(changed(each.decision, predictions=in_time), each.feedback))
    found = replay(judged, recorder.log.entries("a"), {"cnn": Static(model="cnn")}, SETTING)
    assert found.models["cnn:1"] == MeanReward(found.evaluation[0].value, 60)
    assert found.evaluation[0].value < 2 / 3


def test_a_candidate_that_asks_what_the_log_does_not_know_gets_bounds_and_a_reason() -> None:
    recorder = Recorder(Exp3(), 200)
    found = replay(recorder.judged(), recorder.log.entries("a"), {"vote": MajorityVote()}, SETTING)
    (row,) = found.evaluation
    assert (row.interval, row.low, row.high) == ("bounds", 0.0, 1.0)
    assert "of 100.0% of its decisions the log does not tell the outcome" in row.warnings[0]
    assert found.evaluation.winner is None


def test_bounds_allow_for_chance_beside_what_is_not_known() -> None:
    """Of one decision in 300 nothing is known: the rest is as uncertain as ever."""
    recorder = Recorder(Exp4(), 300)
    first, *others = recorder.judged()
    only = {"cnn:1": first.decision.predictions["cnn:1"]}
    chosen = (changed(first.decision.selections[0], models=("cnn:1",)),)
    cut = Judged(changed(first.decision, selections=chosen, predictions=only), first.feedback)
    candidates: dict[str, Policy[Any]] = {"svm": Static(model="svm"), "cnn": Static(model="cnn")}
    found = replay([cut, *others], recorder.log.entries("a"), candidates, SETTING)
    svm, cnn = found.evaluation
    assert (svm.interval, cnn.interval) == ("bounds", "bootstrap")
    assert svm.high - svm.low > 0.9 * (cnn.high - cnn.low)


@pytest.mark.parametrize(("wrong", "told"), [(0, False), (1, False), (20, True)])
def test_who_was_wrong_once_more_is_not_yet_worse(wrong: int, told: bool) -> None:
    """Of two that say the same but `wrong` times in 400."""
    judged = []
    for i, each in enumerate(Recorder(Exp4(), 400).judged()):
        twin = {"cnn:1": Prediction(1), "svm:1": Prediction(2 if i < wrong else 1), "forest:1": Prediction(3)}
        judged.append(Judged(changed(each.decision, predictions=twin), changed(each.feedback, label=1)))
    candidates: dict[str, Policy[Any]] = {"cnn": Static(model="cnn"), "svm": Static(model="svm")}
    found = replay(judged, Recorder(Exp4(), 400).log.entries("a"), candidates, SETTING)
    (pair,) = [d for d in found.evaluation.differences if {d.better, d.worse} == {"cnn", "svm"}]
    assert pair.value == pytest.approx(wrong / 400)
    assert (pair.low > 0) == told
    assert pair.high - pair.low < 0.06


def test_a_default_output_is_judged_as_what_it_is() -> None:
    """Nobody answered in time: what was given in the place of an answer is wrong, unless the label is that."""
    recorder = Recorder(Exp4(), 40)
    given = Answer(0, default=True, explanation="none in time")
    judged = [
        Judged(changed(j.decision, predictions={}, answer=given if i % 2 else j.decision.answer), j.feedback)
        for i, j in enumerate(recorder.judged())
    ]
    labels = [j.feedback.label for j in judged]
    setting = Setting(fold=SETTING.fold, default=0)
    found = replay(judged, recorder.log.entries("a"), {"vote": MajorityVote()}, setting)
    assert found.accounts[LOGGED].unknown == 0
    right = [
        label == (0 if i % 2 else j.decision.answer.output)
        for i, (j, label) in enumerate(zip(judged, labels, strict=True))
    ]
    assert found.accounts[LOGGED].mean == pytest.approx(np.mean(right))
    assert found.accounts["vote"].mean == pytest.approx(np.mean([label == 0 for label in labels]))


def test_whether_an_answer_would_be_a_default_is_told_only_where_it_is_known() -> None:
    recorder = Recorder(Exp3(), 200)
    found = replay(recorder.judged(), recorder.log.entries("a"), {"svm": Static(model="svm")}, SETTING)
    account = found.accounts["svm"]
    assert account.unknown > 50
    assert (account.answered, account.silent) == (200 - account.unknown, 0)


def test_the_best_in_hindsight_is_told_only_where_all_models_are_known() -> None:
    """Of the models that were asked alone, the best known would be whichever was asked."""
    chosen = Recorder(Exp3(), 100)
    found = replay(chosen.judged(), chosen.log.entries("a"), {"static": Static(model="cnn")}, SETTING)
    assert found.oracle is None
    assert sum(alone.decisions for alone in found.models.values()) == 100
    world = Random("world 1")
    told = [truth_and_predictions(world)[1] for _ in range(100)]
    half = [
        Judged(j.decision, changed(j.feedback, joined=told[i]) if i % 2 else j.feedback)
        for i, j in enumerate(chosen.judged())
    ]
    found = replay(half, chosen.log.entries("a"), {"static": Static(model="cnn")}, SETTING)
    assert found.oracle is not None
    assert found.oracle.decisions == 50
    assert found.oracle.reward == np.mean(
        [any(p.output == j.feedback.label for p in j.predictions.values()) for j in half[1::2]]
    )


def test_single_choices_become_a_table_for_the_estimators() -> None:
    recorder = Recorder(Exp3(), 80, users=4)
    table = single_choices(recorder.judged(), ZeroOne())
    assert table is not None
    assert table.actions.tolist() == [d.selections[0].models[0] for d in recorder.record]
    assert table.probabilities.tolist() == [d.selections[0].probability for d in recorder.record]
    assert table.rewards.mean() == pytest.approx(1 - _error(recorder))
    assert table.users is not None
    assert len(set(table.users.tolist())) == 4
    assert single_choices(Recorder(Exp4(), 5).judged(), ZeroOne()) is None


def a_log_of_rewards(n: int) -> MemoryLog:
    """Of decisions by x, which was right each time; y said the same in every other."""
    log = MemoryLog()
    log.commit([], [Pending("a", None, 0.0, ModelsChanged(("x:1", "y:1")))])
    for i in range(1, n + 1):
        predictions = {"x:1": Prediction("cat"), "y:1": Prediction("dog" if i % 2 else "cat")}
        given = decide(
            Static(model="x"), Static(model="x").initial_state(()), Query(i, ("x:1", "y:1")), predictions, Random(1)
        )
        row = changed(given, application="a", at=float(i), predictions=predictions)
        log.commit([Row(i, "a", None, None, encode(row))], [Pending("a", None, i + 0.5, Feedback((i,), reward=1.0))])
    return log


def test_a_choice_of_a_model_that_was_late_is_a_choice_of_the_default() -> None:
    """Without it, a model that is late whenever it would be wrong were always right."""
    judged = []
    for i, each in enumerate(Recorder(Exp3(), 60).judged()):
        late = changed(each.decision, predictions={}, answer=Answer(0, default=True, explanation="late"))
        judged.append(Judged(each.decision if i % 3 else late, each.feedback))
    table = single_choices(judged, ZeroOne(), 0)
    assert table is not None
    assert len(table) == 60
    assert table.rewards[::3].tolist() == [each.feedback.label == 0 for each in judged[::3]]


def test_a_reward_tells_nothing_of_an_answer_that_was_not_given() -> None:
    log = a_log_of_rewards(4)
    judged = (Judged(*pair) for pair in log.judged("a"))
    found = replay(judged, log.entries("a"), {"y": Static(model="y")}, SETTING)
    assert (found.accounts["y"].judged, found.accounts["y"].unknown) == (2, 2)
    (row,) = found.evaluation
    assert (row.interval, row.value) == ("bounds", 1.0)
    assert row.low < 0.5, "the other two could have lost, and of two that won little is known"
    assert row.high == 1.0


def test_nobody_learns_from_a_reward_for_an_answer_that_was_not_theirs() -> None:
    log, rehearsal, made = a_log_of_rewards(60), Rehearsal(Fold(policy=Exp3(), loss=ZeroOne())), list[Decision]()
    for event in course((Judged(*pair) for pair in log.judged("a")), log.entries("a")):
        if isinstance(event, Judged):
            made.append(rehearsal.decide(event))
        else:
            rehearsal.fold(event)
    agreed = sum(decision.answer.output == "cat" for decision in made)
    assert 30 < agreed < 60
    described = Exp3().describe(rehearsal.population.state)
    assert sum(model["count"] for model in described.values()) == agreed


def test_models_whose_answer_was_late_are_late_for_the_candidate_too() -> None:
    recorder = Recorder(Exp4(), 40)
    cut = [changed(j.decision, predictions={"cnn:1": j.decision.predictions["cnn:1"]}) for j in recorder.judged()]
    judged = [Judged(decision, j.feedback) for decision, j in zip(cut, recorder.judged(), strict=True)]
    rehearsal = Rehearsal(Fold(policy=MajorityVote(), loss=ZeroOne()))
    assert [rehearsal.decide(each).predictions for each in judged] == [decision.predictions for decision in cut]
    assert rehearsal.missing == 0


def test_sure_answers_and_defaults_are_counted() -> None:
    recorder = Recorder(Exp4(), 900)
    fold = Fold(policy=Exp4(), loss=ZeroOne(), certainty=Certainty(threshold=Threshold(target_error=0.3)))
    setting = Setting(fold=fold, costs={"cnn:1": 2.0})
    found = replay(recorder.judged(), recorder.log.entries("a"), {"ensemble": Ensemble()}, setting)
    account = found.accounts["ensemble"]
    assert 0 < account.sure < 900
    assert account.cost == 1800.0


def test_what_a_model_took_counts_by_its_own_account() -> None:
    recorder = Recorder(MajorityVote(), 20)
    judged = [
        Judged(
            changed(j.decision, predictions={m: reporting(m, p, i) for m, p in j.decision.predictions.items()}),
            j.feedback,
        )
        for i, j in enumerate(recorder.judged())
    ]
    setting = Setting(fold=SETTING.fold, costs=dict.fromkeys(MODELS, 100.0))
    candidates: dict[str, Policy[Any]] = {"one": Static(model="cnn:1")}
    found = replay(judged, recorder.log.entries("a"), candidates, setting)
    assert found.accounts["one"].cost == sum(range(20))
    assert found.accounts[LOGGED].cost == sum(range(20)) + 20 * 100.0 * (len(MODELS) - 1)


def test_segments_and_curves_add_up() -> None:
    recorder = Recorder(Exp4(), 200, users=2)
    found = replay(
        recorder.judged(),
        recorder.log.entries("a"),
        {"vote": MajorityVote()},
        SETTING,
        segment=lambda d: d.query.user or "",
    )
    account = found.accounts["vote"]
    assert sum(total for _, total in account.segments.values()) == account.reward
    assert {name: count for name, (count, _) in account.segments.items()} == {"u0": 100, "u1": 100}
    assert account.curve[-1][0] > 190


def test_a_log_without_feedback_is_refused() -> None:
    with pytest.raises(InvalidLog, match="no decision with feedback"):
        replay([], [], {"vote": MajorityVote()}, SETTING)


def test_decisions_come_before_the_event_about_them_whatever_the_clock_says() -> None:
    recorder = Recorder(Exp4(), 30, delay=2)
    early = [Judged(changed(j.decision, at=1e9), j.feedback) for j in recorder.judged()]
    seen: set[int] = set()
    for event in course(early, recorder.log.entries("a")):
        if isinstance(event, Judged):
            assert event.decision.query.id not in seen
            seen.add(event.decision.query.id)
        else:
            assert {decision.query.id for decision in event.decisions} <= seen
    assert len(seen) == 30


def _error(recorder: Recorder) -> float:
    labels = {j.decision.query.id: j.feedback.label for j in recorder.judged()}
    return sum(d.answer.output != labels[d.query.id] for d in recorder.record) / len(recorder.record)


def test_shadow_queries_let_a_candidate_be_followed() -> None:
    recorder = Recorder(Exp3(), 60)
    world = Random("world 1")
    told = [truth_and_predictions(world)[1] for _ in range(60)]
    shadowed = [
        Judged(changed(j.decision, shadows=(Selection(MODELS, 1.0),)), changed(j.feedback, joined=told[i]))
        for i, j in enumerate(recorder.judged())
    ]
    found = replay(shadowed, recorder.log.entries("a"), {"vote": MajorityVote()}, SETTING)
    assert found.accounts["vote"].unknown == 0
