"""A limit that changes, by a lesson or a new configuration, while slots are promised ahead."""

from __future__ import annotations

import struct

import msgspec
import pytest
import redis

from sidecar.limits.store import Granted, Observation
from tests.limits.meters import one, overrun, requests
from tests.limits.servers import Server
from tests.limits.worlds import RedisWorld, World

MINUTE = requests("minute", limit=60, burst=1)
SLOW = requests("slow", limit=60, burst=1)
OLD = struct.Struct("<6d")
"""What a daemon kept of a bucket before it kept the latest leave."""


async def promised_ahead(world: World) -> list[tuple[float, float]]:
    """One slot of MINUTE that leaves in a second, because SLOW holds it back until then."""
    await world.grant(SLOW)
    ahead = await world.take(one(MINUTE, SLOW), horizon_s=1.0)
    assert isinstance(ahead, Granted)
    return [(ahead.leave_at, 1.0)]


async def test_a_limit_that_rises_again_does_not_shorten_the_time_to_a_promised_slot(
    world: World,
) -> None:
    await world.grant(MINUTE)
    world.move(120.0)
    await world.observe(MINUTE, Observation(limit=1))
    left = await promised_ahead(world)
    await world.observe(MINUTE, Observation(limit=60))
    answer = await world.take(one(MINUTE), horizon_s=5.0)
    assert isinstance(answer, Granted)
    assert overrun([*left, (answer.leave_at, 1.0)], MINUTE) <= 1e-6


async def test_a_limit_that_falls_does_not_stretch_the_time_to_a_promised_slot(
    world: World,
) -> None:
    left = await promised_ahead(world)
    await world.observe(MINUTE, Observation(limit=6))
    refused = await world.refusal(MINUTE)
    assert refused.ready_at == pytest.approx(left[0][0] + 10.0)


async def test_a_configured_limit_that_rises_keeps_promised_slots_too(world: World) -> None:
    slower = msgspec.structs.replace(MINUTE, limit=1)
    await world.grant(SLOW)
    ahead = await world.take(one(slower, SLOW), horizon_s=1.0)
    assert isinstance(ahead, Granted)
    answer = await world.take(one(MINUTE), horizon_s=5.0)
    assert isinstance(answer, Granted)
    assert overrun([(ahead.leave_at, 1.0), (answer.leave_at, 1.0)], MINUTE) <= 1e-6


def field(client: redis.Redis, world: RedisWorld) -> tuple[str, bytes]:
    """The hash that MINUTE is kept in, and its packed numbers."""
    home = f"{world.prefix}:{{p}}:s"
    packed = client.hget(home, f"t:{MINUTE.id}")
    assert isinstance(packed, bytes)
    return home, packed


@pytest.mark.redis
async def test_numbers_kept_by_an_older_daemon_are_still_counted(
    server: Server, redis_world: RedisWorld
) -> None:
    await redis_world.grant(MINUTE)
    with server.client() as client:
        home, packed = field(client, redis_world)
        client.hset(home, f"t:{MINUTE.id}", packed[: OLD.size])
    refused = await redis_world.refusal(MINUTE)
    assert refused.ready_at - redis_world.clock.now() == pytest.approx(1.0)


@pytest.mark.redis
async def test_an_older_daemon_finds_its_six_numbers_first(
    server: Server, redis_world: RedisWorld
) -> None:
    await redis_world.grant(MINUTE)
    with server.client() as client:
        _, packed = field(client, redis_world)
    tat, unit, *_ = OLD.unpack_from(packed)
    assert (tat, unit) == (redis_world.clock.now() * 1e6 + 1e6, 1e6)
