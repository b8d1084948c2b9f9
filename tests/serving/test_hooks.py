"""Hooks: an owner's functions on the way of a query, and what becomes of it when they fail."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from selector.errors import InvalidSetting
from selector.policies import Exp4
from serving.hooks import Asked, Hooks
from serving.values import Input
from tests.serving.front_end import FrontEnd, vector

HERE = "tests.serving.test_hooks"
NUMBERS = Input("FP32", (2, 2), np.arange(4, dtype="<f4").tobytes())


def by_account(asked: Asked) -> str | None:
    account = asked.context.get("account")
    return None if account is None else f"{asked.user or 'someone'} of {account}"


def corner(asked: Asked) -> dict[str, float]:
    return {"corner": float(asked.input[0, 0]), "largest": float(asked.input.max())}


def length(asked: Asked) -> dict[str, int]:
    return {"length": len(asked.input)}


def writes(asked: Asked) -> dict[str, float]:
    asked.input[0, 0] = 7
    return {}


def nonsense(_: Asked) -> Any:
    return {"vector": [1, 2]}


def unwritable(_: Asked) -> dict[str, str]:
    return {"name": "\ud800"}


def fails(*_: Any) -> Any:
    raise ZeroDivisionError("no luck")


def forgets(*_: Any) -> None:
    """It is no state."""


def stubborn(_: Any, own: Any) -> Any:
    return own


def hook(name: str) -> str:
    return f"{HERE}:{name}"


def test_features_join_the_context_and_the_user_may_be_found_in_it() -> None:
    hooks = Hooks(user=hook("by_account"), features=hook("corner"))
    user, features = hooks.read(NUMBERS, "ann", {"account": "acme"})
    assert user == "ann of acme"
    assert features == {"account": "acme", "corner": 0.0, "largest": 3.0}


def test_an_input_is_what_its_datatype_says() -> None:
    hooks = Hooks(features=hook("length"))
    assert hooks.read(Input("BYTES", (), b"abc"), None, {})[1] == {"length": 3}
    assert hooks.read(Input("JSON", (), msgspec.msgpack.encode([1, {"a": 2}])), None, {})[1] == {"length": 2}


def test_without_hooks_nothing_changes() -> None:
    context: dict[str, Any] = {"hour": 3}
    assert Hooks().read(NUMBERS, "ann", context) == ("ann", context)


@pytest.mark.parametrize("name", ["fails", "nonsense", "writes", "unwritable"])
def test_a_hook_that_fails_is_as_if_it_were_not_there(name: str, caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks(user=hook("by_account"), features=hook(name))
    with caplog.at_level(logging.ERROR):
        for _ in range(9):
            assert hooks.read(NUMBERS, None, {"account": "acme"}) == ("someone of acme", {"account": "acme"})
    assert hooks.failures == 9
    assert len(caplog.records) == 4  # the first, second, fourth and eighth
    assert name in caplog.text


@pytest.mark.parametrize("name", [f"{HERE}:nobody", "no.such.module:f", f"{HERE}:NUMBERS"])
def test_what_cannot_be_called_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(InvalidSetting, match=r"features: "):
        Hooks(features=name)


def test_the_log_has_what_the_hooks_found(tmp_path: Path) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7}, user=hook("by_account"), features=hook("fails"))
    query = end.answer(context={"account": "acme"}).query_id
    end.observe(query, label=7)
    end.update(7, context={"account": "acme"})
    users = [decision.query.user for entry in end.log.entries("app") for decision in entry.decisions]
    end.close()
    assert users == ["someone of acme"] * 2
    assert end.app.hooks.failures == 2


def test_a_policy_that_cannot_meet_a_user_leaves_no_call_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7, "b:1": 3})
    end.observe(end.answer(user="ann").query_id, label=7)
    end.answer(user="ann")
    end.turn()  # ann's own state has been read
    monkeypatch.setattr(Exp4, "blend", fails)
    with pytest.raises(ZeroDivisionError):
        end.predict(user="ann", client_id="mine")
    monkeypatch.undo()
    assert end.app.under_way == 0
    assert end.answer(user="ann", client_id="mine").query_id == "mine"
    end.close()


@pytest.mark.parametrize(("blend", "expected"), [(hook("stubborn"), 3), (hook("fails"), 7), (hook("forgets"), 7)])
def test_a_hook_decides_how_a_user_meets_everyone(tmp_path: Path, blend: str, expected: int) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7, "b:1": 3}, Exp4(), blend=blend)
    for i in range(40):
        end.observe(end.answer(user=f"user {i}").query_id, label=7)
    end.observe(end.answer(user="bob").query_id, label=3)
    end.answer(user="bob")
    end.turn()  # bob's own state has been read
    assert end.answer(user="bob").output == expected
    end.close()


def test_one_input_is_not_shared_with_the_models(tmp_path: Path) -> None:
    end = FrontEnd(tmp_path, {"a:1": 7}, features=hook("writes"))
    assert end.answer(input=vector(1.0, 2.0)).output == 7
    end.close()
