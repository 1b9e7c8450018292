"""A fleet in virtual time: many pods, the production store, the real script on a real server.

Only the network between pod and server is played: it has a latency, and it can be cut. Everything
runs in one loop whose time jumps, so that a minute of a saturated fleet takes seconds and the same
seed gives the same run.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

import redis

from sidecar.limits import script
from sidecar.limits.bucket import Bucket, Cost
from sidecar.limits.common import CommonStore
from sidecar.limits.pool import Settings, StoreAway
from sidecar.limits.store import Candidate, Granted, Reservation
from sidecar.testing.virtual import VirtualLoop
from tests.limits.meters import overrun

LATENCY_S = 0.0005
HORIZON_S = 0.5


class Network:
    """Carries documents to the script while it is whole."""

    def __init__(self, client: redis.Redis, rng: random.Random) -> None:
        self._script = client.register_script(script.text())
        self._random = rng
        self.cut = False
        self.lost_answers = 0.0

    async def call(self, keys: Sequence[str], document: bytes) -> Sequence[object]:
        await asyncio.sleep(self._random.uniform(0.5, 1.5) * LATENCY_S)
        if self.cut:
            raise StoreAway("cut")
        answer: Sequence[object] = self._script(keys=list(keys), args=[document])
        await asyncio.sleep(self._random.uniform(0.5, 1.5) * LATENCY_S)
        if self._random.random() < self.lost_answers:
            raise StoreAway("the answer was lost")
        return answer


class Fleet:
    """`count` pods, each with one head that takes as fast as it may; what left, and when."""

    def __init__(
        self,
        loop: VirtualLoop,
        client: redis.Redis,
        count: int,
        keys: Sequence[Candidate],
        *,
        seed: int = 1,
        cost: Callable[[random.Random], tuple[Cost, Cost, float]] | None = None,
        **settings: object,
    ) -> None:
        self.loop = loop
        self.clock = loop.clock
        self.random = random.Random(seed)
        self.network = Network(client, self.random)
        self.keys = keys
        self.left: dict[Bucket, list[tuple[float, float]]] = defaultdict(list)
        self.waits: list[float] = []
        self.granted = [0] * count
        self._cost = cost or (lambda rng: (Cost(), Cost(), 0.0))
        known = Settings(prefix=f"fleet-{uuid.uuid4()}", clock_time=True, **settings)  # type: ignore[arg-type]
        self.stores = [
            CommonStore(
                self.clock, self.network.call, f"pod{n}", random.Random(seed * 1000 + n),
                settings=known,
            )
            for n in range(count)
        ]  # fmt: skip
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, seconds: float, demand: Sequence[float] | None = None) -> None:
        """Every pod for `seconds`; `demand` in requests per second and pod, None: all it can."""
        end = self.clock.now() + seconds
        heads = [
            self._head(n, end, None if demand is None else demand[n])
            for n in range(len(self.stores))
        ]
        await asyncio.gather(*heads)
        await asyncio.gather(*self._tasks)
        self._tasks = []

    async def close(self) -> None:
        await asyncio.gather(*(store.aclose() for store in self.stores))

    @property
    def round_trips(self) -> int:
        return sum(store.round_trips() for store in self.stores)

    def admitted(self, bucket: Bucket) -> float:
        return sum(units for _, units in self.left[bucket])

    def worst(self) -> float:
        """Units by which the worst window of the worst bucket is over."""
        return max(overrun(left, bucket) for bucket, left in self.left.items())

    async def _head(self, pod: int, end: float, rate: float | None) -> None:
        store, arrival = self.stores[pod], self.clock.now()
        while True:
            if rate is not None:
                arrival += self.random.expovariate(rate)
                await self._until(arrival)
            began = self.clock.now()
            reserve, actual, hold = self._cost(self.random)
            while self.clock.now() < end:
                answer = await store.take(self.keys, reserve, horizon_s=HORIZON_S)
                if isinstance(answer, Granted):
                    break
                await self._until(max(answer.ask_at, self.clock.now() + 0.001))
            else:
                return
            self.waits.append(self.clock.now() - began)
            self.granted[pod] += 1
            await self._until(answer.leave_at)
            self._leave(answer.reservation, actual)
            self._tasks.append(self.loop.create_task(self._serve(store, answer, actual, hold)))

    def _leave(self, held: Reservation, actual: Cost) -> None:
        for take in held.takes:
            units = min(take.amount, actual.of(take.bucket.dimension))
            self.left[take.bucket].append((self.clock.now(), units))

    async def _serve(self, store: CommonStore, granted: Granted, actual: Cost, hold: float) -> None:
        await asyncio.sleep(hold)
        store.settle(granted.reservation, actual)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(at - self.clock.now(), 0.0))


def in_virtual_time(play: Callable[[VirtualLoop], Awaitable[None]]) -> None:
    """Run `play` on a loop of its own whose time jumps."""
    loop = VirtualLoop(start_s=1000.0)
    try:
        loop.run_until_complete(play(loop))
    finally:
        loop.close()
