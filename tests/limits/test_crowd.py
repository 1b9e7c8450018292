"""Many more pods wait than slots come: they do not all come for every slot."""

from __future__ import annotations

import pytest

from sidecar.core.request import Priority
from sidecar.limits.store import Candidate, Refused
from sidecar.testing.virtual import VirtualLoop
from tests.limits.fleet import Fleet, in_virtual_time
from tests.limits.meters import one, requests, seats
from tests.limits.pods import pods
from tests.limits.servers import Server
from tests.limits.worlds import RedisWorld

pytestmark = pytest.mark.redis

A, B = requests("a", limit=600, burst=20), requests("b", limit=600, burst=20)
SLOW = requests("slow", limit=60, burst=1)
RARE = requests("rare", limit=2, burst=1)
PODS, SECONDS = 150, 20.0
JITTER = 0.02
"""Requests: what a decision that travels for up to a millisecond moves at ten a second."""


def crowd(server: Server, keys: list[Candidate], seconds: float = SECONDS) -> Fleet:
    fleets: list[Fleet] = []

    async def run(loop: VirtualLoop) -> None:
        with server.client() as client:
            fleets.append(Fleet(loop, client, PODS, keys))
            await fleets[0].run(seconds)
            await fleets[0].close()

    in_virtual_time(run)
    return fleets[0]


def test_a_crowd_of_pods_uses_everything_in_few_round_trips(server: Server) -> None:
    fleet = crowd(server, [one(A, key="a"), one(B, key="b")])
    used = fleet.admitted(A) + fleet.admitted(B)
    assert used >= 0.995 * (A.burst + B.burst + 20.0 * SECONDS)
    assert fleet.worst() <= JITTER
    assert fleet.round_trips / used <= 5.0


def test_a_crowd_at_one_a_second_leaves_no_second_unused(server: Server) -> None:
    fleet = crowd(server, [one(SLOW)], 60.0)
    assert fleet.admitted(SLOW) >= 60.0
    assert fleet.worst() <= JITTER


async def test_each_that_waits_is_given_a_slots_time_of_its_own(server: Server) -> None:
    async with pods(server.url, 3) as (busy, *others):
        await busy.fill(RARE)
        refused = [await pod.take(RARE) for pod in others]
        asks = [one.ask_at for one in refused if isinstance(one, Refused)]
        assert asks[1] - asks[0] == pytest.approx(30.0, abs=1.0)


async def test_whoever_asks_before_its_time_keeps_it(redis_world: RedisWorld) -> None:
    await redis_world.grant(SLOW)
    first = await redis_world.refusal(SLOW)
    redis_world.move(0.3)
    assert (await redis_world.refusal(SLOW)).ask_at == pytest.approx(first.ask_at)


async def test_classes_that_leave_a_reserve_have_a_line_of_their_own(
    redis_world: RedisWorld,
) -> None:
    await redis_world.grant(SLOW)
    await redis_world.refusal(SLOW, priority=Priority.BATCH)
    first = await redis_world.refusal(SLOW)
    assert first.ask_at - redis_world.clock.now() == pytest.approx(1.0)


async def test_a_seat_is_asked_for_without_a_line(redis_world: RedisWorld) -> None:
    await redis_world.grant(seats(limit=1))
    refused = await redis_world.refusal(seats(limit=1))
    assert refused.guess
    assert refused.ask_at == refused.ready_at
