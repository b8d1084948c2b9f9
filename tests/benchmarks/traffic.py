"""Clients that do all that clients do: ask, tell in time and late, repeat themselves, contradict themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from tests.benchmarks.ledger import Asked, Ledger, Told
from tests.benchmarks.load import Connection, Response

USERS = 40
VALUES = 12
"""Inputs are two numbers below this: few enough that the cache knows some of them."""
DEFAULT = -1.0
"""The applications' default output, which is no sum."""


class Client:
    """One of many clients of one application; every reply is checked, what is wrong goes to `violations`.

    `shaken`: a worker or the supervisor has been killed, so that answers may be the default. Acts until the
    connection is lost.
    """

    def __init__(
        self,
        application: str,
        connections: tuple[Connection, Connection],
        ledger: Ledger,
        violations: list[str],
        rng: Random,
    ) -> None:
        self.shaken = False
        self._path = f"/{application}/"
        self._connection, self._spare = connections
        self._ledger = ledger
        self._violations = violations
        self._rng = rng
        self._actions: dict[Callable[[], Awaitable[None]], int] = {
            self._ask: 50,
            self._tell: 38,
            self._retry: 20,
            self._repeat: 3,
            self._contradict: 3,
            self._tell_twice_at_once: 2,
            self._contradict_at_once: 2,
            self._tell_of_episode: 2,
            self._update: 2,
        }

    async def act(self) -> None:
        """One action after the other, until the connection is lost."""
        actions, weights = list(self._actions), list(self._actions.values())
        try:
            while True:
                await self._rng.choices(actions, weights)[0]()
        except ConnectionError:
            return
        except TimeoutError:
            self._violations.append(f"no answer within {self._connection.timeout:g} s")

    async def _ask(self) -> None:
        rng = self._rng
        user = f"user-{rng.randrange(USERS)}" if rng.random() < 0.5 else None
        query: dict[str, Any] = {"input": [float(rng.randrange(VALUES)), float(rng.randrange(VALUES))]}
        if user is not None:
            query["user"] = user
        if rng.random() < 0.1:
            query["query_id"] = f"client-{rng.getrandbits(64):x}"
        response = await self._connection.post(f"{self._path}predict", query)
        truth = sum(query["input"])
        answer = response.json()
        if response.status != 200 or not self._is_right(answer, truth):
            self._violations.append(f"predict of {query} was answered {response.status} {answer}")
            return
        self._ledger.answered(Asked(answer["query_id"], user, truth), answer["default"])

    def _is_right(self, answer: dict[str, Any], truth: float) -> bool:
        if answer["default"]:
            return bool(answer["output"] == DEFAULT)
        return answer["output"] in (truth, truth + 1) and all(
            said in (truth, truth + 1) for said in answer["models"].values()
        )

    async def _tell(self) -> None:
        told = self._next_feedback()
        if told is None:
            await self._ask()
        else:
            await self._send(told, "applied")

    async def _retry(self) -> None:
        """What a client does that has lost its connection: send the same again."""
        if self._ledger.doubtful:
            await self._send(self._ledger.doubtful.pop(), "applied", "duplicate")

    async def _repeat(self) -> None:
        told = self._ledger.some_told(self._rng)
        if told is not None:
            await self._send(told, "duplicate")

    async def _contradict(self) -> None:
        told = self._ledger.some_told(self._rng)
        if told is not None:
            response = await self._connection.post(f"{self._path}observe", _body(_other(told)))
            self._expect(response.status == 409, _other(told), response)

    async def _tell_twice_at_once(self) -> None:
        told = self._next_feedback()
        if told is None:
            return
        replies = await self._both(told, told)
        statuses = sorted(str(reply.json().get("status")) for reply in replies)
        self._expect(statuses == ["applied", "duplicate"], told, *replies)
        self._ledger.acknowledge(told)

    async def _contradict_at_once(self) -> None:
        told = self._next_feedback()
        if told is None:
            return
        rivals = (told, _other(told))
        replies = await self._both(*rivals)
        self._expect(sorted(reply.status for reply in replies) == [200, 409], told, *replies)
        for rival, reply in zip(rivals, replies, strict=True):
            if reply.status == 200:
                self._ledger.acknowledge(rival)

    async def _both(self, one: Told, other: Told) -> list[Response]:
        """Two connections say something about one query at the same time.

        If they are lost, the query is left to rest: either, or neither, may be in the log.
        """
        connections = (self._connection, self._spare)
        return await asyncio.gather(
            *[c.post(f"{self._path}observe", _body(told)) for c, told in zip(connections, (one, other), strict=True)]
        )

    async def _tell_of_episode(self) -> None:
        first = self._ledger.take_open(self._rng)
        if first is None:
            return
        queries = [first]
        for _ in range(40):
            other = self._ledger.take_open(self._rng)
            if other is not None and other.user == first.user and len(queries) < 3:
                queries.append(other)
            elif other is not None:
                self._ledger.open.append(other)
        await self._send(Told(tuple(query.id for query in queries), reward=self._rng.randrange(5) / 4), "applied")

    async def _update(self) -> None:
        rng = self._rng
        values = (float(rng.randrange(VALUES)), float(rng.randrange(VALUES)))
        await self._send(Told((f"update-{rng.getrandbits(64):x}",), sum(values), input=values), "applied")

    def _next_feedback(self) -> Told | None:
        asked = self._ledger.take_open(self._rng)
        if asked is None:
            return None
        if self._rng.random() < 0.2:
            return Told((asked.id,), reward=float(self._rng.random() < 0.7))
        return Told((asked.id,), asked.truth)

    async def _send(self, told: Told, *expected: str) -> None:
        try:
            response = await self._connection.post(f"{self._path}observe", _body(told))
        except ConnectionError:
            self._ledger.doubtful.append(told)
            raise
        if response.status == 200 and response.json()["status"] in expected:
            self._ledger.acknowledge(told)
            return
        nobody_there = self.shaken and told.input is not None and response.status in (502, 503, 504)
        self._expect(nobody_there, told, response)

    def _expect(self, right: bool, told: Told, *replies: Response) -> None:
        if not right:
            self._violations.append(f"observe {told} was answered {[(reply.status, reply.body) for reply in replies]}")


def _body(told: Told) -> dict[str, Any]:
    truth = {"label": told.label} if told.label is not None else {"reward": told.reward}
    if told.input is not None:
        return {"query_id": told.queries[0], "input": told.input, **truth}
    if len(told.queries) > 1:
        return {"query_ids": told.queries, **truth}
    return {"query_id": told.queries[0], **truth}


def _other(told: Told) -> Told:
    """Feedback about the same that says something else."""
    return Told(told.queries[:1], label=(told.label or 0.0) + 1.0)
