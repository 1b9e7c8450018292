"""Keys and breakers of several pods, over one real Redis."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis.asyncio

from sidecar.core.clock import LoopClock
from sidecar.core.failure import Cause, Failure
from sidecar.core.target import Target
from sidecar.gateway.fleet import Fleet
from sidecar.gateway.pulse import Pulse
from sidecar.keys.ring import Key, KeyRing
from sidecar.keys.secret import Secret
from sidecar.limits.board import Board, Note
from sidecar.limits.board_redis import RedisWire
from sidecar.routing.breaker import Breaker, BreakerPolicy, State
from tests.limits.servers import Server, running

PLANTED = "sk-planted-in-a-fleet"
M = "m"
PATIENCE_S = 20.0
GONE = Failure(Cause.CREDENTIAL, "no such key")
pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("redis")
    with running(folder) as one:
        yield one


class Pod:
    """The part of a daemon that knows of keys and targets."""

    def __init__(self, server: Server, prefix: str, number: int) -> None:
        self.clock = LoopClock(asyncio.get_running_loop())
        self.key = Key("deepseek", "team", f"name-{number}", Secret(PLANTED))
        self.ring = KeyRing([self.key])
        self.breaker = Breaker(BreakerPolicy(consecutive=1, open_s=0.0))
        self.line: Any = SimpleNamespace(target=Target("deepseek", M), breaker=self.breaker)
        self.changed = Pulse()
        client = redis.asyncio.Redis.from_url(server.url, socket_connect_timeout=0.1)
        wire = RedisWire(client, prefix)
        self.board = Board(self.clock, wire, f"p{number}", random.Random(number))
        self.fleet = Fleet(self.clock, self.ring, self.changed, self.board, lambda: [self.line])

    def refused(self) -> None:
        self.ring.failed(self.key, M, GONE, self.clock.now())

    @property
    def usable(self) -> bool:
        now = self.clock.now()
        return self.ring.standing(self.key, M, now).ready_at <= now

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await self.changed.wait(1.0)

    async def ready(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if await self.board.claim(("breaker", "nobody"), 1.0) is not None:
                    return
                await asyncio.sleep(0)


@asynccontextmanager
async def pods(server: Server, count: int = 3) -> AsyncIterator[list[Pod]]:
    prefix = f"test-{uuid.uuid4()}"
    found = [Pod(server, prefix, number) for number in range(count)]
    try:
        for one in found:
            one.fleet.start()
        for one in found:
            await one.ready()
        yield found
    finally:
        for one in found:
            await one.fleet.aclose()


async def test_a_key_that_one_pod_saw_refused_is_used_by_none(server: Server) -> None:
    async with pods(server) as (one, *others):
        one.refused()
        for other in others:
            await other.until(lambda other=other: not other.usable)
            standing = other.ring.standing(other.key, M, other.clock.now())
            assert (standing.cause, standing.disabled) == (Cause.CREDENTIAL, True)


async def test_one_good_answer_brings_the_key_back_in_every_pod(server: Server) -> None:
    async with pods(server) as (one, two, three):
        one.refused()
        for other in (two, three):
            await other.until(lambda other=other: not other.usable)
        two.ring.succeeded(two.key, M, two.clock.now())
        await one.until(lambda: one.usable)
        await three.until(lambda: three.usable)


async def test_no_key_material_and_no_names_of_keys_or_accounts_reach_redis(
    server: Server,
) -> None:
    async with pods(server) as (one, two, _):
        one.refused()
        await two.until(lambda: not two.usable)
        with server.client() as client:
            (name,) = client.keys(f"{two.board._wire._keys[0]}")  # type: ignore[attr-defined]
            kept = repr(client.hgetall(name))
        assert not [word for word in (PLANTED, "name-", "team") if word in kept]


async def test_what_is_broken_for_one_pod_is_not_asked_by_the_others(server: Server) -> None:
    async with pods(server) as (one, two, _):
        now = one.clock.now()
        one.breaker.failed(one.breaker.admit(now), now)
        one.breaker._until = now + 600.0
        one.fleet.breaker(one.line, now)
        await two.until(lambda: two.breaker.state is State.OPEN)
        assert two.breaker.ready_at(two.clock.now()) > two.clock.now()


async def test_one_pod_of_the_fleet_probes_and_its_success_counts_for_all(server: Server) -> None:
    async with pods(server) as all_of_them:
        now = all_of_them[0].clock.now()
        for one in all_of_them:
            one.breaker.heard(now + 0.001, now)
            one.board.rest(("breaker", one.line.target.name), Note("breaker", True, 1, now, now))
            await one.ready()
        may = [await one.fleet.may_leave(one.line, one.key) for one in all_of_them]
        assert may.count(True) == 1
        prober = all_of_them[may.index(True)]
        began = prober.clock.now()
        generation = prober.breaker.admit(began)
        prober.breaker.succeeded(generation, began)
        prober.fleet._open[prober.line.target.name] = (now, now)
        prober.fleet.answered(prober.line, began)
        for one in all_of_them:
            await one.until(lambda one=one: one.breaker.state is State.CLOSED)
