"""A DeepSeek-like account whose concurrency falls from 500 to 39 with its balance."""

from __future__ import annotations

import asyncio
import random

from sidecar.limits.bucket import Cost
from sidecar.limits.learn import observations, read
from sidecar.limits.memory import MemoryStore
from sidecar.limits.store import Granted
from sidecar.testing import virtual
from tests.limits.meters import one, seats

BUCKET = seats(limit=500)
FALL_S = 30.0
ROUND_TRIP_S = 0.005


class Account:
    """The provider: refuses above its limit, and may say the number."""

    def __init__(self, tells: bool) -> None:
        self.limit = 500
        self.inside = 0
        self.refusals: list[float] = []
        self.lessons: list[float] = []
        self.busy = 0.0
        self._tells = tells

    def refuse(self, left: float, now: float) -> str:
        """A refusal of a request that left before the last one came back teaches nothing new."""
        self.refusals.append(now)
        if not self.lessons or left > self.lessons[-1]:
            self.lessons.append(now)
        if not self._tells:
            return '{"error":{"message":"Rate limit reached"}}'
        return (
            f"Your current concurrency is {self.inside + 1}, which exceeds your concurrency limit"
            f" of {self.limit} based on your remaining balance"
        )


async def demand(account: Account, seconds: float) -> None:
    """More callers than seats, each asking again as soon as it may."""
    clock, rng = virtual.clock(), random.Random(7)
    store = MemoryStore(clock)
    end = clock.now() + seconds
    asyncio.get_running_loop().call_at(FALL_S, setattr, account, "limit", 39)
    running: set[asyncio.Task[None]] = set()

    async def serve(granted: Granted, left: float) -> None:
        if account.inside >= account.limit:
            await asyncio.sleep(ROUND_TRIP_S)
            told = read({}, account.refuse(left, clock.now()), clock.wall_ns())
            ago = clock.now() - left
            for at, said in observations(told, [BUCKET], refused=True, sent_ago_s=ago):
                store.observe(at, said)
            store.settle(granted.reservation, Cost(1))
            return
        account.inside += 1
        lasts = rng.uniform(1.0, 9.0)
        for _ in range(int(lasts)):
            await asyncio.sleep(lasts / int(lasts))
            store.renew(granted.reservation)
        account.inside -= 1
        account.busy += lasts if clock.now() > FALL_S + 30.0 else 0.0
        store.settle(granted.reservation, Cost(1, 10, 10))

    while clock.now() < end:
        answer = await store.take([one(BUCKET)], Cost(1, 10, 10))
        if isinstance(answer, Granted):
            task = asyncio.get_running_loop().create_task(serve(answer, clock.now()))
            running.add(task)
            task.add_done_callback(running.discard)
            await asyncio.sleep(0.001)
        else:
            await store.wait_change("p", answer.ready_at)
    await asyncio.gather(*running)


def fallen(tells: bool, seconds: float = 300.0) -> Account:
    account = Account(tells)
    virtual.run(demand(account, seconds))
    return account


def test_a_limit_that_is_told_is_found_in_two_refusals_and_then_used() -> None:
    account = fallen(tells=True)
    assert len(account.refusals) <= 2
    assert account.busy >= 0.9 * 39 * (300.0 - FALL_S - 30.0)


def test_a_limit_that_is_not_told_is_found_in_ten_lessons() -> None:
    account = fallen(tells=False)
    first = account.lessons[0]
    assert len([at for at in account.lessons if at < first + 60.0]) <= 10
    assert len([at for at in account.refusals if at < first + 60.0]) <= 15


def test_a_limit_that_is_not_told_is_used_afterwards_with_few_further_refusals() -> None:
    account = fallen(tells=False, seconds=630.0)
    assert account.busy >= 0.9 * 39 * (630.0 - FALL_S - 30.0)
    assert len([at for at in account.refusals if at > FALL_S + 60.0]) <= 600.0 / 30.0
