"""The promise: in every window, no bucket lets more through than burst + rate x window."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.limits.bucket import Cost
from sidecar.limits.store import Granted
from tests.limits.histories import HISTORIES, Ask, Recorder
from tests.limits.meters import one, overrun, requests, tokens
from tests.limits.worlds import memory_world

ROUNDING = 1e-6
"""Units: what doubles may lose over a history, a millionth of a request."""


def played(history: list[Ask]) -> Recorder:
    recorder = Recorder(memory_world())
    asyncio.run(recorder.play(history))
    return recorder


def check(history: list[Ask]) -> None:
    recorder = played(history)
    assert recorder.worst() <= ROUNDING
    assert recorder.worst_seats() <= 0


@given(HISTORIES)
@settings(deadline=None)
def test_no_window_of_any_bucket_is_ever_over(history: list[Ask]) -> None:
    check(history)


@pytest.mark.slow
@given(HISTORIES)
@settings(deadline=None, max_examples=10_000, suppress_health_check=list(HealthCheck))
def test_no_window_of_any_bucket_is_ever_over_in_ten_thousand_histories(
    history: list[Ask],
) -> None:
    check(history)


@given(st.integers(1, 5000), st.integers(1, 700), st.integers(1, 50))
@settings(deadline=None, max_examples=30)
async def test_any_rational_rate_is_delivered_within_a_thousandth(
    limit: int, per_s: int, burst: int
) -> None:
    bucket = requests(limit=limit, per_s=float(per_s), burst=burst)
    world = memory_world()
    await world.fill(bucket)
    seconds = 3000 * per_s / limit
    delivered = await world.use([bucket], seconds)
    assert delivered == pytest.approx(3000, rel=0.001)


async def test_a_hundred_million_tokens_a_minute_are_delivered_to_a_thousandth() -> None:
    bucket = tokens(limit=100_000_000, burst=1_000_000)
    world = memory_world()
    cost, left, end = Cost(1, 700, 77), 0, world.clock.now() + 2.0
    while world.clock.now() < end:
        answer = await world.take(one(bucket), cost=cost)
        if isinstance(answer, Granted):
            left += 777
        else:
            world.clock.time = answer.ready_at
    assert left == pytest.approx(1_000_000 + 100_000_000 / 30, rel=0.001)


async def test_actual_tokens_stay_within_the_bucket_with_calls_of_ten_minutes() -> None:
    bucket = tokens(limit=60_000, burst=60_000)
    world, kept = memory_world(), []
    for _ in range(20):
        slow = await world.fill(bucket, cost=Cost(1, 0, 4000))
        world.move(601.0)
        for granted in slow:
            await world.settle(granted.reservation, Cost(1, 0, 300))
            kept.append((granted.leave_at, 300.0))
        whole = await world.fill(bucket, cost=Cost(1, 0, 4000))
        kept += [(granted.leave_at, 4000.0) for granted in whole]
        world.move(61.0)
    assert overrun(kept, bucket) <= ROUNDING
