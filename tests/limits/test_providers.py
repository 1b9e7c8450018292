"""Our buckets against the ways in which providers enforce theirs, with requests that travel for up
to a quarter of a second: none is refused, and hardly anything is left unused."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

import msgspec
import pytest

from sidecar.limits.bucket import Bucket, spaced, window_safe
from sidecar.limits.store import Granted
from tests.limits.meters import one, requests
from tests.limits.worlds import memory_world

JITTER_S = 0.25
SECONDS = 1200.0
Enforcer = Callable[[float], bool]


def token_bucket(limit: int, per_s: float, burst: int) -> Enforcer:
    level, last = float(burst), 0.0

    def accepts(at: float) -> bool:
        nonlocal level, last
        level = min(level + (at - last) * limit / per_s, float(burst))
        last = at
        if level < 1.0 - 1e-9:
            return False
        level -= 1.0
        return True

    return accepts


def fixed_window(limit: int, per_s: float) -> Enforcer:
    counts: dict[int, int] = {}

    def accepts(at: float) -> bool:
        window = int(at // per_s)
        counts[window] = counts.get(window, 0) + 1
        return counts[window] <= limit

    return accepts


def sliding_window(limit: int, per_s: float) -> Enforcer:
    recent: deque[float] = deque()

    def accepts(at: float) -> bool:
        while recent and recent[0] <= at - per_s:
            recent.popleft()
        recent.append(at)
        return len(recent) <= limit

    return accepts


async def arrivals(bucket: Bucket, seed: int) -> list[float]:
    """Saturate the bucket; when its requests reach the provider, late by a varying delay."""
    world, rng, left = memory_world(), random.Random(seed), []
    while world.now < SECONDS:
        answer = await world.take(one(bucket), horizon_s=0.5)
        if isinstance(answer, Granted):
            left.append(answer.leave_at - world.began)
        else:
            world.clock.time = max(answer.ask_at, world.clock.now() + 1e-6)
    return sorted(at + rng.uniform(0.0, JITTER_S) for at in left if at <= SECONDS)


def made(limit: int, per_s: float, burst: int) -> Bucket:
    return msgspec.structs.replace(requests(), limit=limit, per_s=per_s, burst=burst)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("bucket", "enforcer", "used", "limit"),
    [
        (spaced(made(60, 60.0, 60), 2, JITTER_S), lambda: token_bucket(60, 60.0, 2), 0.95, 60),
        (spaced(made(60, 60.0, 60), 10, JITTER_S), lambda: token_bucket(60, 60.0, 10), 0.95, 60),
        (spaced(made(600, 60.0, 99), 20, JITTER_S), lambda: token_bucket(600, 60.0, 20), 0.95, 600),
        (made(*window_safe(60, 60.0, 2, JITTER_S)), lambda: fixed_window(60, 60.0), 0.95, 60),
        (made(*window_safe(60, 60.0, 2, JITTER_S)), lambda: sliding_window(60, 60.0), 0.95, 60),
        (made(*window_safe(500, 60.0, 15, JITTER_S)), lambda: sliding_window(500, 60.0), 0.95, 500),
        (spaced(made(60, 60.0, 60), 1, JITTER_S), lambda: token_bucket(60, 60.0, 1), 0.78, 60),
    ],
    ids=["tokens-2", "tokens-10", "tokens-20", "fixed", "sliding", "sliding-500", "one-a-second"],
)
async def test_no_request_is_refused_and_the_limit_is_used(
    bucket: Bucket, enforcer: Callable[[], Enforcer], used: float, limit: int, seed: int
) -> None:
    accepts, came = enforcer(), await arrivals(bucket, seed)
    assert all([accepts(at) for at in came])
    assert len(came) >= used * limit * SECONDS / 60.0


async def test_sending_at_the_full_rate_to_one_a_second_would_be_refused() -> None:
    accepts = token_bucket(60, 60.0, 1)
    came = await arrivals(made(60, 60.0, 1), seed=1)
    assert sum(not accepts(at) for at in came) > 0.2 * len(came)
