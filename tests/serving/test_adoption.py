"""A policy takes over from another while queries are under way."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from feedback_store.contract import Snapshot, StoreUnavailable
from selector.decisions import PolicyChanged
from selector.errors import WindjammerError
from selector.policies import Exp3, Exp4
from serving.errors import CannotAdopt
from serving.knowledge import Adoption
from tests.serving.front_end import FrontEnd

WAITING = {"a:1": None, "b:1": None}


def adopt(end: FrontEnd, policy: Exp3) -> list[WindjammerError | None]:
    """Have the policy adopted from nothing but the log; what came of it appears in the list."""
    told: list[WindjammerError | None] = []
    fold = replace(end.app.config.fold, policy=policy)
    snapshot = Snapshot("app", None, "new fold", 0, fold.everyone().encode())
    change = PolicyChanged(policy.settings, instead_of=end.app.policy.settings, evidence="it is better")
    end.app.adopt(Adoption(change, fold, "new fold", snapshot), told.append)
    return told


def test_it_knows_all_that_the_log_knows(tmp_path: Path) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7, "b:1": 3}, Exp4())
    end.teach(7, 20)
    told = adopt(end, Exp3())
    while not told:
        end.turn()
    assert told == [None]
    knowledge = end.app.knowledge
    folded = replace(end.app.config.fold, policy=Exp3()).everyone().fold_all(end.log.entries("app"))
    assert knowledge.population.encode() == folded.encode()
    assert knowledge.population.announced == Exp3().settings
    assert end.answer().policy == "exp3"
    end.teach(7, 5)
    assert knowledge.population.position == end.log.head()
    end.close()


def test_a_query_under_way_is_answered_by_the_policy_that_met_it(tmp_path: Path) -> None:
    end = FrontEnd(tmp_path, dict(WAITING), Exp4())
    before = end.predict()
    told = adopt(end, Exp3())
    while not told:
        end.turn()
    after = end.predict()
    for model in end.models.values():
        model.release(7)
    assert [before[0].policy, after[0].policy] == ["exp4", "exp3"]
    assert len(before[0].models) == 2
    assert len(after[0].models) == 1
    end.close()


def test_feedback_that_comes_meanwhile_is_learned(tmp_path: Path) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7, "b:1": 3}, Exp4())
    queries = [end.answer().query_id for _ in range(3)]
    told = adopt(end, Exp3())
    assert [end.observe(query, label=7).status for query in queries] == ["applied"] * 3
    while not told:
        end.turn()
    assert end.app.knowledge.population.position == end.log.head()
    end.close()


def test_another_change_must_wait_for_the_first(tmp_path: Path) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7, "b:1": 3}, Exp4())
    first, second = adopt(end, Exp3()), adopt(end, Exp3(share=0.5))
    assert isinstance(second[0], CannotAdopt)
    while not first:
        end.turn()
    assert end.app.policy == Exp3()
    end.close()


def test_without_a_store_nothing_changes(tmp_path: Path) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7, "b:1": 3}, Exp4())
    end.close()
    told = adopt(end, Exp3())
    end.turn()
    assert isinstance(told[0], StoreUnavailable)
    assert end.app.policy == Exp4()
    assert end.app.knowledge.population.announced == ""
