"""A store and its clock, so that one suite speaks to every kind of store in the same words."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import redis.asyncio

from sidecar.core.request import Priority
from sidecar.limits.bucket import Bucket, Cost
from sidecar.limits.memory import MemoryStore
from sidecar.limits.pool import Settings
from sidecar.limits.redis import RedisStore
from sidecar.limits.store import Candidate, Granted, Observation, Refused, Reservation, Store
from tests.limits.meters import HandClock, one

PLAIN = Cost()


class World:
    """Times in answers are given relative to the clock's beginning, which is second 0."""

    def __init__(self, store: Store, clock: HandClock) -> None:
        self.store = store
        self.clock = clock
        self.began = clock.now()

    @property
    def now(self) -> float:
        return self.clock.now() - self.began

    def move(self, seconds: float) -> None:
        self.clock.move(seconds)

    async def take(
        self,
        *candidates: Candidate,
        cost: Cost = PLAIN,
        priority: Priority = Priority.NORMAL,
        horizon_s: float = 0.0,
        **more: Any,
    ) -> Granted | Refused:
        return await self.store.take(
            candidates, cost, priority=priority, horizon_s=horizon_s, **more
        )

    async def grant(self, *buckets: Bucket, **more: Any) -> Granted:
        answer = await self.take(one(*buckets), **more)
        assert isinstance(answer, Granted), answer
        return answer

    async def refusal(self, *buckets: Bucket, **more: Any) -> Refused:
        answer = await self.take(one(*buckets), **more)
        assert isinstance(answer, Refused), answer
        return answer

    async def fill(self, *buckets: Bucket, **more: Any) -> list[Granted]:
        """Take until refused."""
        granted = []
        while isinstance(answer := await self.take(one(*buckets), **more), Granted):
            granted.append(answer)
        return granted

    async def settle(self, reservation: Reservation, actual: Cost) -> None:
        self.store.settle(reservation, actual)
        await self.drain()

    async def renew(self, reservation: Reservation) -> None:
        self.store.renew(reservation)
        await self.drain()

    async def observe(self, bucket: Bucket, observation: Observation) -> None:
        self.store.observe(bucket.id, observation)
        await self.drain()

    async def drain(self) -> None:
        """Until everything said to the store has reached it."""

    async def use(self, buckets: Sequence[Bucket], seconds: float) -> int:
        """Take as fast as allowed for that long; how many left."""
        count, end = 0, self.clock.now() + seconds
        while self.clock.now() < end:
            answer = await self.take(one(*buckets))
            if isinstance(answer, Granted):
                count += 1
            else:
                self.clock.time = answer.ready_at
        return count


class RedisWorld(World):
    """A real server, in virtual time: the script goes by the hand-set clock."""

    def __init__(self, client: redis.asyncio.Redis, clock: HandClock, prefix: str) -> None:
        settings = Settings(
            prefix=prefix, command_timeout_s=30.0, linger_s=0.0, seat_linger_s=0.0, clock_time=True
        )
        self.prefix = prefix
        self.redis_store = RedisStore(clock, client, "pod", random.Random(1), settings=settings)
        super().__init__(self.redis_store, clock)

    async def drain(self) -> None:
        await self.redis_store.flush()


def memory_world() -> World:
    clock = HandClock()
    return World(MemoryStore(clock), clock)
