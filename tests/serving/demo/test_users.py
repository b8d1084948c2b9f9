from __future__ import annotations

import asyncio
from collections import Counter
from itertools import count

import pytest

from serving.demo.digits import Digits
from serving.demo.users import REPEATS, Users
from tests.serving.demo.conftest import pretending

pytestmark = pytest.mark.anyio


class Memory:
    """Answers 7, and remembers what it was told."""

    def __init__(self) -> None:
        self.ids = count(1)
        self.predicted: Counter[str] = Counter()
        self.truths: dict[str, object] = {}
        self.requests = 0

    async def __call__(self, path: str, body: dict[str, object]) -> tuple[int, object]:
        self.requests += 1
        application, verb = path.strip("/").split("/")
        if verb == "predict":
            self.predicted[application] += 1
            return 200, {
                "query_id": str(next(self.ids)),
                "output": 7,
                "default": False,
                "sure": True,
                "models": {"cnn:1": 7},
            }
        query = str(body["query_id"])
        status = "duplicate" if query in self.truths else "applied"
        self.truths[query] = body["label"]
        return 200, {"status": status}


def users_of(port: int, digits: Digits, applications: tuple[str, ...] = ("one", "two"), number: int = 4) -> Users:
    return Users(port, applications, digits, seed=1, count=number, entered=lambda: None)


async def test_every_question_is_asked_once_and_its_truth_told(few_digits: Digits) -> None:
    memory = Memory()
    async with pretending(memory) as port:
        users = users_of(port, few_digits)
        await users.ask("before", range(30))

    assert memory.predicted == {"one": 15, "two": 15}
    outcomes = users.journal.outcomes
    assert {outcome.query: outcome.label for outcome in outcomes} == memory.truths
    assert len(outcomes) == 30
    assert {(outcome.stage, outcome.output, outcome.repeats) for outcome in outcomes} == {("before", 7, 0)}


async def test_users_work_at_the_same_time(few_digits: Digits) -> None:
    memory = Memory()
    everyone = asyncio.Barrier(4)

    async def together(path: str, body: dict[str, object]) -> tuple[int, object]:
        async with asyncio.timeout(5):
            await everyone.wait()
        return await memory(path, body)

    async with pretending(together) as port:
        users = users_of(port, few_digits, number=4)
        await users.ask("before", range(8))

    assert len(users.journal.outcomes) == 8


async def test_a_refusal_is_noted_and_the_next_question_asked(few_digits: Digits) -> None:
    memory = Memory()

    async def overloaded_once(path: str, body: dict[str, object]) -> tuple[int, object]:
        answer = await memory(path, body)
        return (503, {"error": "Overloaded"}) if memory.requests == 3 else answer

    async with pretending(overloaded_once) as port:
        users = users_of(port, few_digits, number=1)
        await users.ask("before", range(5))

    assert len(users.journal.outcomes) == 4
    assert len(users.journal.refusals) == 1
    assert "503" in users.journal.refusals[0]


async def test_what_had_no_answer_is_sent_again_when_the_server_is_back(few_digits: Digits) -> None:
    memory = Memory()
    lost = iter([False, True, False, False, False, True] + [False] * 100)

    async def losing_answers(path: str, body: dict[str, object]) -> tuple[int, object] | None:
        answer = await memory(path, body)
        return None if next(lost) else answer

    async with pretending(losing_answers) as port:
        users = users_of(port, few_digits, number=1)
        await users.ask("during", range(4))

    outcomes = users.journal.outcomes
    assert [outcome.repeats for outcome in outcomes] == [1, 0, 1, 0]
    assert [outcome.duplicate for outcome in outcomes] == [True, False, False, False]
    assert {outcome.query: outcome.label for outcome in outcomes} == memory.truths


async def test_users_wait_while_the_server_is_known_to_be_down(few_digits: Digits) -> None:
    memory = Memory()
    down = True

    async def handler(path: str, body: dict[str, object]) -> tuple[int, object] | None:
        return None if down else await memory(path, body)

    async with pretending(handler) as port:
        users = users_of(port, few_digits)
        users.server_up.clear()
        asking = asyncio.create_task(users.ask("during", range(4)))
        done, _ = await asyncio.wait([asking], timeout=0.1)
        assert not done
        down = False
        users.server_up.set()
        await asking

    assert len(users.journal.outcomes) == 4


async def test_users_give_up_on_a_server_that_is_gone_for_good(few_digits: Digits) -> None:
    requests = 0

    async def gone(path: str, body: dict[str, object]) -> None:
        nonlocal requests
        requests += 1

    async with pretending(gone) as port:
        with pytest.raises(ConnectionError, match="does not answer"):
            await users_of(port, few_digits, number=1).ask("before", range(4))

    assert requests == REPEATS + 1


async def test_users_give_up_at_once_on_a_server_that_hangs(
    few_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.demo.connection.TIMEOUT", 0.05)

    async def hang(path: str, body: dict[str, object]) -> None:
        await asyncio.Event().wait()

    async with pretending(hang) as port:
        with pytest.raises(TimeoutError, match=f"no answer from port {port}"):
            await users_of(port, few_digits).ask("before", range(4))
