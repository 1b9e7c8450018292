"""What is certain about a wait, and what is only a guess; over every store."""

from __future__ import annotations

import pytest

from sidecar.limits.bucket import Cost
from sidecar.limits.store import Observation
from tests.limits.meters import one, requests, seats
from tests.limits.worlds import World

SEAT = seats(limit=1)
RATE = requests(limit=60, burst=1)


async def test_a_missing_seat_is_refused_with_a_guess(world: World) -> None:
    await world.grant(SEAT)
    assert (await world.refusal(SEAT)).guess


async def test_an_empty_bucket_is_refused_with_a_certain_time(world: World) -> None:
    await world.grant(RATE)
    assert not (await world.refusal(RATE)).guess


async def test_beyond_the_guess_for_a_seat_the_rate_tells_the_time(world: World) -> None:
    await world.grant(SEAT, RATE)
    refused = await world.refusal(SEAT, RATE)
    assert (refused.bucket, refused.guess) == (RATE, False)
    assert refused.ready_at - world.clock.now() == pytest.approx(1.0)


async def test_a_hint_knows_the_rate_beyond_the_guess_for_a_seat(world: World) -> None:
    await world.grant(SEAT, RATE)
    hint = world.store.ready_at(one(SEAT, RATE), Cost())
    assert hint - world.clock.now() == pytest.approx(1.0)


async def test_a_missing_seat_is_nothing_certain(world: World) -> None:
    await world.grant(SEAT)
    await world.refusal(SEAT)
    now = world.clock.now()
    assert world.store.certain_at(one(SEAT), Cost()) == now
    assert world.store.ready_at(one(SEAT), Cost()) > now


async def test_a_wait_told_by_the_provider_is_certain_for_seats_too(world: World) -> None:
    await world.settle((await world.grant(SEAT)).reservation, Cost())
    await world.observe(SEAT, Observation(wait_s=3.0))
    certain = world.store.certain_at(one(SEAT), Cost())
    assert certain - world.clock.now() == pytest.approx(3.0)


async def test_a_key_that_rests_is_certain_to_rest(world: World) -> None:
    resting = one(SEAT, ready_at=world.clock.now() + 9.0)
    assert world.store.certain_at(resting, Cost()) - world.clock.now() == pytest.approx(9.0)


async def test_without_any_limit_nothing_is_waited_for(world: World) -> None:
    assert world.store.certain_at(one(), Cost()) == world.clock.now()
