"""The data path of one application: predict, observe, update, from request to durable state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import msgspec
import pytest
from msgspec import UNSET

from feedback_store.memory import MemoryLog
from selector.decisions import Decision, Feedback, Prediction, Query, Selection
from selector.errors import InvalidLabel
from selector.learner import Learner
from selector.losses import Absolute, TopK
from selector.personalization import Users
from selector.policies import Cascade, Ensemble, Exp3, Exp4, MajorityVote, Static
from selector.policies.exp4 import Votes
from selector.policy import Losses, Predictions, Selections
from selector.population import Population
from serving.errors import (
    BadRequest,
    ConflictingFeedback,
    DeadlineExceeded,
    ModelFailed,
    Overloaded,
    ShuttingDown,
    UnknownQueryId,
)
from serving.knowledge import Knowledge
from serving.values import Input, ObserveReply, ObserveRequest, PredictReply, PredictRequest, UpdateRequest
from tests.serving.front_end import FrontEnd, vector

SLO = 0.02


class InTurn(MajorityVote, frozen=True, kw_only=True, tag="in_turn"):
    """Asks one model after the other, as they are named."""

    asks_on = True

    def select(
        self, state: Any, query: Query, selections: Selections, predictions: Predictions, rng: Random
    ) -> Selection | None:
        asked = {model for selection in selections for model in selection.models}
        rest = [model for model in query.available if model not in asked]
        return Selection((rest[0],), 1.0) if rest else None


@contextmanager
def front_end(folder: Path, models: dict[str, Any], *args: Any, **settings: Any) -> Iterator[FrontEnd]:
    end = FrontEnd(folder, models, *args, **settings)
    try:
        yield end
    finally:
        end.close()


def test_the_answer_leaves_the_moment_all_models_are_in(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 7, "c:1": 3}) as end:
        reply = end.answer()
        assert (reply.output, reply.default, reply.policy) == (7, False, "exp4")
        assert reply.models == {"a:1": 7, "b:1": 7, "c:1": 3}
        assert end.loop.now == 0.0


def test_every_decision_is_in_the_log_with_its_probability(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}, Exp3()) as end:
        reply = end.answer(user="ann", context={"hour": 7})
        assert end.observe(reply.query_id, label=7) == ObserveReply("applied")
        decision = end.log.decision("app", int(reply.query_id))
        assert decision is not None
        (asked,) = reply.models
        assert decision.selections == (Selection((asked,), 0.5),)
        assert decision.query.user == "ann"
        assert decision.query.features == {"hour": 7}
        assert decision.query.available == ("a:1", "b:1")


def test_what_an_input_took_is_told_logged_and_summed_beside_what_is_configured(tmp_path: Path) -> None:
    with front_end(tmp_path, {"gated:1": Prediction(7, cost=5.0), "plain:1": 7}) as end:
        assert end.answer().costs == {"gated:1": 5.0}
        end.models["gated:1"].says = Prediction(7, cost=2.0)
        reply = end.answer(input=vector(3.0))
        end.observe(reply.query_id, label=7)
        decision = end.log.decision("app", int(reply.query_id))
        assert decision is not None
        assert decision.predictions["gated:1"].cost == 2.0
        assert end.app.state()["spending"] == {
            "gated:1": {"predictions": 2, "mean_cost": 3.5},
            "plain:1": {"predictions": 2, "mean_cost": 1.0},
        }


def test_a_model_that_has_answered_nothing_has_no_mean_cost(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7}) as end:
        assert end.app.state()["spending"] == {"a:1": {"predictions": 0, "mean_cost": None}}
        assert end.answer().costs is UNSET


def test_an_answer_of_several_labels_is_told_and_judged_by_any_of_them(tmp_path: Path) -> None:
    says = Prediction(7, probabilities=((7, 0.6), (3, 0.4), (5, 0.0)))
    settings = {"loss": TopK(k=2), "target_error": 0.2}
    with front_end(tmp_path, {"a:1": says, "b:1": says}, MajorityVote(top=2), **settings) as end:
        assert end.answer().top == (7, 3)
        end.teach(3, 120)
        assert end.answer().sure
        assert end.app.state()["models"]["a:1"]["loss"] == 0.0
    with front_end(tmp_path / "plain", {"a:1": says}, MajorityVote()) as end:
        assert end.answer().top is UNSET


def test_what_a_policy_takes_models_to_cost_goes_before_what_is_configured(tmp_path: Path) -> None:
    cascade = Cascade(costs={"a:1": 0.25})
    with front_end(tmp_path, {"a:1": 7, "b:1": 7}, cascade) as end:
        assert end.answer().output == 7
        spending = end.app.state()["spending"]
        asked = {model: known["mean_cost"] for model, known in spending.items() if known["predictions"]}
        assert asked == {"a:1": 0.25, "b:1": 1.0}  # at first, all are asked


def test_at_the_deadline_it_answers_with_what_is_there(tmp_path: Path) -> None:
    with front_end(tmp_path, {"fast:1": 7, "slow:1": None}) as end:
        replies = end.predict()
        end.loop.move_to(SLO - 0.001)
        assert replies == []
        end.loop.move_to(SLO)
        (reply,) = replies
        assert reply.output == 7
        assert reply.models == {"fast:1": 7}
        assert reply.confidence == pytest.approx(0.5)


def test_a_later_round_is_of_models_that_can_still_make_it(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": None, "b:1": 3, "c:1": 7}, InTurn(), slo=SLO) as end:
        end.models["b:1"].takes, end.models["c:1"].takes = 0.9 * SLO, 0.1 * SLO
        replies = end.predict()
        end.loop.now = 0.5 * SLO
        end.models["a:1"].release(7)
        (reply,) = replies
        assert reply.models == {"a:1": 7, "c:1": 7}
        end.observe(reply.query_id, label=7)
        decision = end.log.decision("app", int(reply.query_id))
        assert decision is not None
        assert decision.query.available == ("a:1", "b:1", "c:1")
        assert decision.selections == (Selection(("a:1",), 1.0), Selection(("c:1",), 1.0, ("a:1", "c:1")))


def test_a_client_may_give_a_deadline_of_its_own(tmp_path: Path) -> None:
    with front_end(tmp_path, {"slow:1": None}, default_output=-1) as end:
        replies = end.predict(timeout=0.005)
        end.loop.move_to(0.005)
        assert replies[0].default


def test_with_nothing_at_the_deadline_the_default_output_leaves_with_its_reason(tmp_path: Path) -> None:
    with front_end(tmp_path, {"slow:1": None}, default_output=-1) as end:
        replies = end.predict()
        end.loop.move_to(SLO)
        (reply,) = replies
        assert (reply.output, reply.default) == (-1, True)
        assert reply.default_explanation == "No prediction arrived within 20 ms"


def test_without_a_default_output_the_reason_is_the_error(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": None}) as end:
        replies = end.predict()
        end.loop.move_to(SLO)
        assert isinstance(replies[0], DeadlineExceeded)
        end.models["a:1"].says = ModelFailed("a:1: it raised")
        (failed,) = end.predict(input=vector(3.0))
        assert (type(failed), str(failed)) == (ModelFailed, "a:1: it raised")
        end.models["a:1"].says = Overloaded("the queue of a:1 is full")
        (refused,) = end.predict(input=vector(4.0))
        assert isinstance(refused, Overloaded)


def test_siblings_answer_for_a_model_that_fails(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": ModelFailed("a:1: it raised"), "b:1": 3}) as end:
        reply = end.answer()
        assert reply.output == 3
        assert reply.models == {"b:1": 3}


def test_models_that_are_down_are_not_asked(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}) as end:
        end.models["a:1"].available = False
        assert end.answer().models == {"b:1": 3}
        end.models["b:1"].available = False
        (reply,) = end.predict()
        assert str(reply) == "No model is available"


def test_what_has_been_right_becomes_sure_and_less_agreement_stays_unsure(tmp_path: Path) -> None:
    models = {"a:1": 7, "b:1": 7, "c:1": 7}
    log = MemoryLog()
    log.close = lambda: None  # type: ignore[method-assign]
    with front_end(tmp_path / "1", models, MajorityVote(), log, target_error=0.2) as end:
        assert end.answer().sure is False
        end.teach(7, 300)
        assert end.answer().sure is True
        assert end.app.state()["certainty"]["sure_from"] <= 1.0
        end.models["c:1"].says = 3
        unsure = end.answer()
        assert (unsure.output, unsure.sure, unsure.default) == (7, False, False)
    with front_end(tmp_path / "2", models, MajorityVote(), log, target_error=0.2) as again:
        assert again.answer().sure is True


def test_default_outputs_do_not_keep_answers_from_becoming_sure(tmp_path: Path) -> None:
    settings = {"target_error": 0.2, "when_unsure": "default", "default_output": -1}
    with front_end(tmp_path, {"a:1": 7, "b:1": 7}, MajorityVote(), **settings) as end:
        assert end.answer().output == -1
        end.teach(7, 300)
        assert (end.answer().output, end.answer().sure) == (7, True)


def test_a_number_comes_with_an_interval(tmp_path: Path) -> None:
    settings = {"task": "regression", "loss": Absolute(scale=10), "coverage": 0.8}
    with front_end(tmp_path, {"a:1": 7.0, "b:1": 7.5}, MajorityVote(task="regression"), **settings) as end:
        assert end.answer().interval is UNSET
        for label in (6.0, 7.0, 8.0) * 10:
            end.teach(label, 1)
        interval = end.answer().interval
        assert interval is not UNSET
        low, high = interval
        assert low <= 6.0 < 8.0 <= high


def test_an_unsure_answer_may_be_replaced_by_the_default(tmp_path: Path) -> None:
    settings = {"target_error": 0.05, "when_unsure": "default", "default_output": -1}
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}, MajorityVote(), **settings) as end:
        reply = end.answer()
        assert (reply.output, reply.default, reply.sure) == (-1, True, False)
        assert reply.confidence == 0.5
        assert "0.500" in str(reply.default_explanation)


def test_feedback_moves_the_weights_and_is_joined_once(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}) as end:
        query = end.answer().query_id
        before = end.app.state()["models"]
        assert end.observe(query, label=7) == ObserveReply("applied")
        after = end.app.state()["models"]
        assert before["a:1"]["weight"] == before["b:1"]["weight"]
        assert after["a:1"]["weight"] > after["b:1"]["weight"]
        assert end.observe(query, label=7) == ObserveReply("duplicate")
        assert end.app.state()["models"] == after
        conflict = end.observe(query, label=3)
        assert isinstance(conflict, ConflictingFeedback)
        assert "label 7" in str(conflict)


def test_a_reward_is_credited_to_the_models_that_agreed_with_the_answer(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 7, "c:1": 3}) as end:
        assert end.observe(end.answer().query_id, reward=0.0) == ObserveReply("applied")
        models = end.app.state()["models"]
        assert models["a:1"]["weight"] == models["b:1"]["weight"] < models["c:1"]["weight"]


def test_an_episode_is_credited_to_each_of_its_decisions(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}) as end:
        first, second = end.answer().query_id, end.answer().query_id
        assert end.observe(first, second, reward=1.0) == ObserveReply("applied")
        assert isinstance(end.observe(first, reward=0.5), ConflictingFeedback)
        others = end.answer(user="ann").query_id
        assert isinstance(end.observe(others, end.answer(user="bob").query_id, reward=1.0), BadRequest)


def test_what_cannot_be_observed_changes_nothing(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 1.0}, Static(model="a:1", task="regression"), loss=Absolute()) as end:
        head = end.log.head()
        assert isinstance(end.observe(12345, label=1.0), UnknownQueryId)
        assert isinstance(end.observe("nobody's", label=1.0), UnknownQueryId)
        assert isinstance(end.observe(end.answer().query_id, label="cat"), InvalidLabel)
        assert isinstance(end.update("cat"), InvalidLabel)
        assert end.log.head() == head


def test_labels_are_mapped_to_the_listed_classes(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": "7", "b:1": 9}, classes=(3, 7)) as end:
        reply = end.answer()
        assert reply.models == {"a:1": 7}
        assert end.observe(reply.query_id, label="7") == ObserveReply("applied")
        assert isinstance(end.observe(end.answer().query_id, label="cat"), InvalidLabel)
        (entry,) = [entry for entry in end.log.entries("app") if isinstance(entry.event, Feedback)]
        assert isinstance(entry.event, Feedback)
        assert entry.event.label == 7


def test_a_prediction_that_missed_the_answer_is_still_scored(tmp_path: Path) -> None:
    with front_end(tmp_path, {"fast:1": 7, "slow:1": None}) as end:
        replies = end.predict()
        end.loop.move_to(SLO)
        end.models["slow:1"].release(3)
        end.observe(replies[0].query_id, label=7)
        assert _joined(end) == {"slow:1": Prediction(3)}
        models = end.app.state()["models"]
        assert models["fast:1"]["weight"] > models["slow:1"]["weight"]


def test_feedback_joins_what_the_cache_knows_of_the_input(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}, Exp3(), cache_bytes=1 << 20) as end:
        asked = set[str]()
        while len(asked) < 2:
            reply = end.answer()
            asked.update(reply.models)
        end.observe(reply.query_id, label=7)
        assert set(_joined(end)) == {"a:1", "b:1"} - set(reply.models)
        assert sum(model.asked for model in end.models.values()) == 2


def test_shadow_queries_ask_the_others_off_the_path(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}, Static(model="a:1"), shadow_share=1.0) as end:
        reply = end.answer()
        assert reply.models == {"a:1": 7}
        end.observe(reply.query_id, label=7)
        assert _joined(end) == {"b:1": Prediction(3)}
        decision = end.log.decision("app", int(reply.query_id))
        assert decision is not None
        assert decision.shadows == (Selection(("b:1",), 1.0),)


def test_feedback_does_not_overtake_the_shadows_of_its_query(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": None}, Static(model="a:1"), shadow_share=1.0) as end:
        query, replies = int(end.answer().query_id), list[Any]()
        end.app.observe(ObserveRequest((query,), label=7), replies.append)
        assert (end.app.under_way, replies) == (1, [])
        end.models["b:1"].release(3)
        end.turn()
        assert replies == [ObserveReply("applied")]
        assert _joined(end) == {"b:1": Prediction(3)}


def test_feedback_told_twice_before_the_shadows_answer_is_joined_once(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": None}, Static(model="a:1"), shadow_share=1.0) as end:
        query, replies = int(end.answer().query_id), list[Any]()
        for _ in range(2):
            end.app.observe(ObserveRequest((query,), label=7), replies.append)
        end.models["b:1"].release(3)
        while len(replies) < 2:
            end.turn()
        assert replies == [ObserveReply("applied"), ObserveReply("duplicate")]
        assert end.app.under_way == 0


def test_feedback_waits_although_its_decision_is_no_longer_remembered(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": None}, Static(model="a:1"), shadow_share=1.0) as end:
        query, replies = int(end.answer().query_id), list[Any]()
        end.app.observe(ObserveRequest((query,), label=7), replies.append)
        end.app.recents.limit = 0
        end.answer()
        end.loop.move_to(end.app.config.slo)
        end.turn()
        assert replies == [ObserveReply("applied")]


@pytest.mark.parametrize("fails", [True, False])
def test_feedback_does_not_wait_for_a_shadow_that_fails_or_is_late(tmp_path: Path, fails: bool) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": None}, Static(model="a:1"), shadow_share=1.0) as end:
        query, replies = int(end.answer().query_id), list[Any]()
        end.app.observe(ObserveRequest((query,), label=7), replies.append)
        if fails:
            end.models["b:1"].release(ModelFailed("b:1: it broke"))
        else:
            end.loop.move_to(0.9 * end.app.config.slo)
            assert (end.app.under_way, replies) == (1, [])
            end.loop.move_to(end.app.config.slo)
        end.turn()
        assert replies == [ObserveReply("applied")]
        assert _joined(end) == {}


def test_inputs_are_kept_only_where_that_is_wanted(tmp_path: Path) -> None:
    for wanted in (False, True):
        with front_end(tmp_path / str(wanted), {"a:1": 7}, log_inputs=wanted) as end:
            query = int(end.answer(input=vector(5.0)).query_id)
            end.observe(query, label=7)
            kept = end.log.input("app", query)
            assert (msgspec.msgpack.decode(kept, type=Input) if kept else None) == (vector(5.0) if wanted else None)


def test_an_update_asks_and_scores_every_model(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}, Exp3()) as end:
        reply = end.update(7, user="ann")
        assert reply.status == "applied"
        decision = end.log.decision("app", int(reply.query_id))
        assert decision is not None
        assert decision.selections == (Selection(("a:1", "b:1"), 1.0),)
        assert decision.policy == "", "nothing was chosen"
        models = end.app.state()["models"]
        assert models["a:1"]["weight"] > models["b:1"]["weight"]


def test_an_update_with_a_clients_id_is_applied_once(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}) as end:
        assert end.update(7, client_id="mine").query_id == "mine"
        assert end.update(7, client_id="mine").status == "duplicate"
        assert isinstance(end.update(3, client_id="mine"), ConflictingFeedback)


def test_a_query_may_be_observed_by_the_clients_own_id(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}) as end:
        assert end.answer(client_id="mine").query_id == "mine"
        (again,) = end.predict(client_id="mine")
        assert isinstance(again, ConflictingFeedback)
        assert end.observe("mine", label=7) == ObserveReply("applied")


def test_a_clients_id_is_taken_from_the_moment_the_query_enters(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": None}) as end:
        first = end.predict(client_id="mine")
        (second,) = end.predict(client_id="mine")
        assert isinstance(second, ConflictingFeedback)
        replies: list[Any] = []
        end.app.update(UpdateRequest(vector(3.0), 7, client_id="mine"), replies.append)
        end.turn()
        assert isinstance(replies[0], ConflictingFeedback)
        end.models["a:1"].release(7)
        assert first[0].query_id == "mine"
        assert end.observe("mine", label=7) == ObserveReply("applied")
        assert end.observe(int(decision_id(end)), label=7) == ObserveReply("duplicate")


def test_an_id_whose_query_got_no_answer_is_free_again(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": ModelFailed("a")}) as end:
        end.predict(client_id="mine")
        end.models["a:1"].says = 7
        assert end.answer(client_id="mine", input=vector(3.0)).query_id == "mine"


def test_in_regression_a_model_that_says_no_number_fails_alone(tmp_path: Path) -> None:
    policy = Exp4(task="regression")
    with front_end(tmp_path, {"a:1": 1.0, "b:1": "abc"}, policy, task="regression", loss=Absolute()) as end:
        reply = end.answer()
        assert reply.models == {"a:1": 1.0}
        assert end.observe(reply.query_id, label=1.0) == ObserveReply("applied")
        assert end.app.state()["models"]["a:1"]["count"] == 1
        assert end.app.state()["skipped"] == 0


class Superstitious(Exp4, frozen=True, kw_only=True, tag="superstitious"):
    """Has half learned from a model that was right alone when it raises."""

    folded: ClassVar[int] = 0

    def observe(self, state: Votes, decision: Decision, losses: Losses) -> Votes:
        Superstitious.folded += 1
        state = super().observe(state, decision, losses)
        if losses.get("a:1") == 0.0:
            raise LookupError("half learned")
        return state


def test_a_policy_that_raises_has_the_event_skipped_and_is_folded_again_once(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}, Superstitious()) as end:
        for label in (3, 7, 3, 7, 7, 3):
            assert end.observe(end.answer().query_id, label=label) == ObserveReply("applied")
            for _ in range(2 * (label == 7)):  # it is folded again, and a snapshot taken
                end.turn()
        state, knowledge = end.app.state(), end.app.knowledge
        assert (state["position"], state["skipped"], state["models"]["b:1"]["count"]) == (7, 3, 3)
        assert Superstitious.folded <= 6 + 3 * 2 + 1  # each that raises: again, and those before it since the last
        again = Knowledge("app", end.app.config.fold, end.app.hooks, end.writer, "another")
        again.recover(end.log)
        assert again.population.encode() == knowledge.population.encode()
        assert end.app.under_way == 0


def test_a_policy_that_raised_by_accident_learns_again_from_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accidents, learn = iter([MemoryError()]), Exp4.observe

    def observe(policy: Exp4, state: Votes, decision: Decision, losses: Losses) -> Votes:
        for accident in accidents:
            raise accident
        return learn(policy, state, decision, losses)

    monkeypatch.setattr(Exp4, "observe", observe)
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}) as end:
        assert end.observe(end.answer().query_id, label=7) == ObserveReply("applied")
        end.turn()
        assert end.app.state()["skipped"] == 0
        fresh = Population(end.app.policy, end.app.config.loss).fold_all(end.log.entries("app"))
        assert end.app.knowledge.population.encode() == fresh.encode()
        assert end.app.under_way == 0


@pytest.mark.parametrize("policy", [Exp4(), Ensemble()], ids=lambda policy: policy.name)
def test_the_state_of_a_user_is_told_whether_it_is_in_memory_or_not(tmp_path: Path, policy: Exp4 | Ensemble) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}, policy) as end:
        end.observe(end.answer(user="ann").query_id, label=7)
        end.observe(end.answer().query_id, label=7)
        end.app.knowledge.users = Users(1)
        told: list[Any] = []
        end.app.state_of("ann", told.append)
        end.turn()
        assert told[0]["user"] == "ann"
        assert told[0]["own"]["a:1"]["count"] == 1
        assert end.app.state()["models"]["a:1"]["count"] == 2
        assert len(end.app.knowledge.users) == 0


def test_each_user_has_a_state_folded_from_that_users_feedback(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": 3}, Exp4(share=0.0, learning_rate=1.0)) as end:
        for _ in range(20):
            end.observe(end.answer(user="ann").query_id, label=7)
            end.observe(end.answer(user="bob").query_id, label=3)
        assert end.answer(user="ann").output == 7
        assert end.answer(user="bob").output == 3
        own = Learner(end.app.policy.personal, end.app.config.loss)
        own.fold_all(end.log.entries("app", user="ann"))
        ann = end.app.knowledge.users.get("ann")
        assert ann is not None
        assert ann.encode() == own.encode()


def test_a_user_is_answered_before_the_log_is_read_for_that_users_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies, read = list[Any](), list[tuple[str, int]]()
    with front_end(tmp_path, {"a:1": 7}) as end:
        monkeypatch.setattr(end.app.knowledge, "look_up", lambda user, done: read.append((user, len(replies))))
        for user in ("ann", "ann", None):
            end.app.predict(PredictRequest(vector(1.0, 2.0), user), replies.append)
        assert read == [("ann", 1)]  # once, when one reply was there
    assert len(replies) == 3


def test_after_a_restart_the_state_is_the_fold_of_the_log(tmp_path: Path) -> None:
    log = MemoryLog()
    first = FrontEnd(tmp_path / "1", {"a:1": 7, "b:1": 3}, log=log)
    query = first.answer().query_id
    for label in (7, 3, 7, 7):
        first.observe(first.answer().query_id, label=label)
    digest = first.app.state()["digest"]
    log.close = lambda: None  # type: ignore[method-assign]
    first.app.knowledge.save()
    first.observe(first.answer().query_id, label=3)
    first.close()
    with front_end(tmp_path / "2", {"a:1": 7, "b:1": 3}, log=log) as second:
        assert second.app.state()["digest"] == first.app.state()["digest"] != digest
        assert second.observe(query, label=7) == ObserveReply("applied")


def test_a_closing_application_refuses_with_a_reason(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": None}) as end:
        under_way = end.predict()
        end.app.closing = True
        (refused,) = end.predict()
        assert isinstance(refused, ShuttingDown)
        end.models["a:1"].release(7)
        assert isinstance(under_way[0], PredictReply)
        assert end.app.under_way == 0


def test_everybody_who_enters_leaves(tmp_path: Path) -> None:
    with front_end(tmp_path, {"a:1": 7, "b:1": ModelFailed("b")}) as end:
        end.observe(end.answer().query_id, label=7)
        end.observe(99, label=7)
        end.update(7, input=vector(3.0))
        end.models["a:1"].says = ModelFailed("a")
        end.predict()
        end.update(7, input=vector(4.0))
        assert end.app.under_way == 0


def decision_id(end: FrontEnd) -> int:
    """The id of the decision that a client has named "mine"."""
    query = end.log.query_of("app", "mine")
    assert query is not None
    return query


def _joined(end: FrontEnd) -> dict[str, Prediction]:
    *_, last = end.log.entries("app")
    assert isinstance(last.event, Feedback)
    return dict(last.event.joined)
