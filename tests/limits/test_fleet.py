"""A saturated fleet: the whole allowance, never more, whatever the store does meanwhile."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import redis

from sidecar.limits.bucket import Cost
from sidecar.testing.virtual import VirtualLoop
from tests.limits.fleet import Fleet, in_virtual_time
from tests.limits.meters import one, requests, tokens
from tests.limits.servers import Server

pytestmark = pytest.mark.redis

A, B = requests("a", limit=600, burst=20), requests("b", limit=600, burst=20)
OWN = [requests(f"own{n}", limit=450, burst=20) for n in range(4)]
KEYS = [one(A if n < 2 else B, OWN[n], key=f"k{n}") for n in range(4)]
"""Four keys in two accounts: 20 a second together, the accounts are the bottleneck."""
PER_SECOND = 20.0
JITTER = 0.02
"""Requests: what a decision that travels for up to a millisecond moves at ten a second."""


def allowance(seconds: float) -> float:
    return A.burst + B.burst + PER_SECOND * seconds


def used(fleet: Fleet) -> float:
    return fleet.admitted(A) + fleet.admitted(B)


@pytest.fixture
def client(own_server: Server) -> Iterator[redis.Redis]:
    with own_server.client() as one:
        yield one


def play(client: redis.Redis, script: Callable[[Fleet], Awaitable[None]], **options: Any) -> Fleet:
    fleets: list[Fleet] = []

    async def run(loop: VirtualLoop) -> None:
        fleet = Fleet(loop, client, 8, KEYS, **options)
        fleets.append(fleet)
        await script(fleet)
        await fleet.close()

    in_virtual_time(run)
    return fleets[0]


def test_eight_pods_use_the_whole_allowance_and_nothing_more(client: redis.Redis) -> None:
    fleet = play(client, lambda fleet: fleet.run(60.0))
    assert fleet.worst() <= JITTER
    assert used(fleet) >= 0.995 * allowance(60.0)


@pytest.mark.parametrize(("load", "most"), [(0.9, 1.1), (1.3, 1.6), (3.0, 2.0)])
def test_few_round_trips_are_made_for_a_request(
    client: redis.Redis, load: float, most: float
) -> None:
    demand = [load * PER_SECOND / 8] * 8
    fleet = play(client, lambda fleet: fleet.run(60.0, demand))
    assert fleet.round_trips / used(fleet) <= most


def test_pods_of_equal_demand_get_equal_parts(client: redis.Redis) -> None:
    fleet = play(client, lambda fleet: fleet.run(60.0))
    got = fleet.granted
    assert sum(got) ** 2 / (len(got) * sum(n * n for n in got)) >= 0.98


def test_a_flush_in_the_middle_gives_nothing_away(client: redis.Redis) -> None:
    async def flushed(fleet: Fleet) -> None:
        fleet.loop.call_later(20.0, client.flushall)
        fleet.loop.call_later(40.0, client.flushall)
        await fleet.run(60.0)

    fleet = play(client, flushed)
    assert fleet.worst() <= JITTER
    assert used(fleet) >= 0.95 * allowance(60.0)


def test_a_rollback_of_five_seconds_gives_nothing_away(client: redis.Redis) -> None:
    async def rolled_back(fleet: Fleet) -> None:
        kept: list[dict[bytes, bytes]] = []
        fleet.loop.call_later(20.0, lambda: kept.append(dump(client)))
        fleet.loop.call_later(25.0, lambda: restore(client, kept[0]))
        await fleet.run(60.0)

    fleet = play(client, rolled_back)
    assert fleet.worst() <= JITTER
    assert used(fleet) >= 0.95 * allowance(60.0)


def test_a_minute_without_the_store_is_used_and_nothing_is_over(client: redis.Redis) -> None:
    fleet = play(client, without_the_store, replicas=8)
    assert fleet.worst() <= JITTER
    away = [at for bucket in (A, B) for at, _ in fleet.left[bucket] if 1020.0 <= at < 1080.0]
    assert len(away) >= 0.9 * 60.0 * PER_SECOND


def test_a_store_that_comes_back_empty_gives_nothing_away(client: redis.Redis) -> None:
    async def emptied(fleet: Fleet) -> None:
        fleet.loop.call_later(70.0, client.flushall)
        await without_the_store(fleet)

    fleet = play(client, emptied, replicas=8)
    assert fleet.worst() <= JITTER
    assert used(fleet) >= 0.9 * allowance(100.0)


def test_pods_that_begin_while_the_store_is_away_give_nothing_away(client: redis.Redis) -> None:
    async def begun_alone(fleet: Fleet) -> None:
        fleet.network.cut = True
        fleet.loop.call_later(20.0, setattr, fleet.network, "cut", False)
        await fleet.run(60.0)

    fleet = play(client, begun_alone, replicas=8)
    assert fleet.worst() <= JITTER
    assert used(fleet) >= 0.9 * PER_SECOND * 60.0


def test_a_fleet_that_nobody_counted_still_keeps_the_limit_without_the_store(
    client: redis.Redis,
) -> None:
    assert play(client, without_the_store).worst() <= JITTER


def test_the_store_is_exact_again_within_a_second_of_its_return(client: redis.Redis) -> None:
    modes: list[set[str]] = []

    async def back(fleet: Fleet) -> None:
        def look() -> None:
            modes.append({mode for store in fleet.stores for mode in store.modes().values()})

        fleet.loop.call_later(79.9, look)
        fleet.loop.call_later(81.0, look)
        await without_the_store(fleet)

    play(client, back)
    assert modes == [{"share"}, {"exact"}]


def test_answers_that_are_lost_now_and_then_put_nothing_over(client: redis.Redis) -> None:
    async def lossy(fleet: Fleet) -> None:
        fleet.network.lost_answers = 0.02
        await fleet.run(60.0)

    assert play(client, lossy).worst() <= JITTER


def test_tokens_settled_late_put_nothing_over_and_waste_little(client: redis.Redis) -> None:
    bucket = tokens("tpm", limit=600_000, burst=60_000)

    def cost(rng: random.Random) -> tuple[Cost, Cost, float]:
        inputs, output = rng.randint(50, 1500), rng.randint(10, 900)
        return Cost(1, inputs, 1000), Cost(1, inputs, output), rng.uniform(0.2, 9.0)

    async def run(fleet: Fleet) -> None:
        fleet.keys = [one(bucket, key="k")]
        await fleet.run(60.0)

    fleet = play(client, run, cost=cost)
    assert fleet.worst() <= 1e-3
    assert fleet.admitted(bucket) >= 0.9 * (60_000 + 600_000)


async def without_the_store(fleet: Fleet) -> None:
    """20 s with it, 60 s without, 20 s with it again."""
    fleet.loop.call_later(20.0, setattr, fleet.network, "cut", True)
    fleet.loop.call_later(80.0, setattr, fleet.network, "cut", False)
    await fleet.run(100.0)


def dump(client: redis.Redis) -> dict[bytes, bytes]:
    with redis.Redis(port=client.connection_pool.connection_kwargs["port"]) as raw:
        return {key: raw.dump(key) for key in raw.keys("*")}  # type: ignore[union-attr, misc]


def restore(client: redis.Redis, kept: dict[bytes, bytes]) -> None:
    client.flushall()
    for key, value in kept.items():
        client.restore(key, 0, value)  # type: ignore[arg-type]
