"""A day of 1,000 pods in virtual time: python -m bench.limits_day [seconds an hour] [pods]

The production store and the real script on a real server; only the network between them and the
clock are played. 50 keys in 10 accounts, which allow 20 requests a second together; demand goes
through the day from a tenth of that to 1.3 times as much. Each hour of the day is played for so
many seconds (default 60; 3600 plays all of it). A request that waited 30 s is given up by its
caller. Prints per hour what was asked and admitted, calls to Redis per admitted request, and waits;
and for the day, how alike pods are treated (Jain) and whether anything was over.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import tempfile
from collections import deque
from collections.abc import Iterable

import msgspec

from bench.limits_fleet import Bench
from bench.limits_line import jain
from bench.limits_table import Figure, show
from sidecar.limits.bucket import Bucket, Cost, Dimension
from sidecar.limits.common import CommonStore
from sidecar.limits.pool import Settings
from sidecar.limits.store import Candidate, Granted
from sidecar.testing.virtual import VirtualLoop
from tests.limits.fleet import HORIZON_S, Network, in_virtual_time
from tests.limits.meters import overrun

COMMAND = "python -m bench.limits_day"
PODS, ACCOUNTS, KEYS = 1000, 10, 5
PER_MINUTE, BURST = 120, 5
ALLOWED = ACCOUNTS * PER_MINUTE / 60.0
HOURS = 24
LEAST, MOST = 0.1, 1.3
PATIENCE_S = 30.0
LOOK_AGAIN_S = 5.0
"""As in the gateway: nobody waits for longer without asking."""
RESERVE = Cost(1, 500, 1000)
JITTER = 0.02
"""Requests: what a decision that travels for up to a millisecond moves."""


def account(number: int) -> tuple[Bucket, ...]:
    name = f"p/account{number}/*"
    return (
        Bucket(f"{name}/requests", "p", Dimension.REQUESTS, PER_MINUTE, 60.0, BURST),
        Bucket(f"{name}/tokens", "p", Dimension.TOKENS, 400_000, 60.0, 40_000),
        Bucket(f"{name}/seats", "p", Dimension.CONCURRENCY, 60),
    )


BUCKETS = [account(number) for number in range(ACCOUNTS)]
CANDIDATES = [
    Candidate(f"a{number}k{key}", BUCKETS[number]) for number in range(ACCOUNTS)
    for key in range(KEYS)
]  # fmt: skip


def load(hour: float) -> float:
    """Demand as a share of what is allowed: least at 4 in the morning, most twelve hours later."""
    return (LEAST + MOST) / 2 - (MOST - LEAST) / 2 * math.cos((hour - 4) / HOURS * 2 * math.pi)


class Hour(msgspec.Struct):
    """What happened to the requests that came in one hour, and what Redis had to do in it."""

    asked: int = 0
    admitted: int = 0
    left: int = 0
    calls: int = 0
    waits: list[float] = []


class Day:
    """The pods, their demand, and what became of it."""

    def __init__(self, loop: VirtualLoop, network: Network, pods: int, hour_s: float) -> None:
        self.loop, self.clock, self.hour_s = loop, loop.clock, hour_s
        self.random = random.Random(11)
        self.hours = [Hour() for _ in range(HOURS)]
        self.asked, self.got = [0] * pods, [0] * pods
        self.left: dict[Bucket, list[tuple[float, float]]] = {}
        self.began = loop.clock.now()
        settings = Settings(prefix="day", replicas=pods, clock_time=True)
        self.stores = [
            CommonStore(
                loop.clock, network.call, f"pod{n}", random.Random(n), settings=settings
            )
            for n in range(pods)
        ]  # fmt: skip
        self._lines: list[deque[float]] = [deque() for _ in range(pods)]
        self._heads: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def hour(self) -> Hour:
        return self.hours[min(int((self.clock.now() - self.began) / self.hour_s), HOURS - 1)]

    async def run(self) -> None:
        """Requests come to random pods, at the rate of the hour; then everything ends."""
        end, calls = self.began + HOURS * self.hour_s, 0
        while (now := self.clock.now()) < end:
            hour, trips = self.hour(), sum(store.round_trips() for store in self.stores)
            hour.calls, calls = hour.calls + trips - calls, trips
            await self._second(min(1.0, end - now))
        while self._heads or self._tasks:
            await asyncio.gather(*self._heads.values(), *self._tasks)
        await asyncio.gather(*(store.aclose() for store in self.stores))

    async def _second(self, length: float) -> None:
        """The demand of one second."""
        rate = load((self.clock.now() - self.began) / self.hour_s) * ALLOWED
        until = self.clock.now() + length
        while (at := self.clock.now() + self.random.expovariate(rate)) < until:
            await self._until(at)
            self._arrive(self.random.randrange(len(self.stores)))
        await self._until(until)

    def _arrive(self, pod: int) -> None:
        self.hour().asked += 1
        self.asked[pod] += 1
        self._lines[pod].append(self.clock.now())
        if pod not in self._heads:
            self._heads[pod] = self.loop.create_task(self._head(pod))

    async def _head(self, pod: int) -> None:
        """One of a pod's requests at a time looks for its slot, as in the gateway."""
        while self._lines[pod]:
            await self._one(pod, self._lines[pod].popleft())
        del self._heads[pod]

    async def _one(self, pod: int, came: float) -> None:
        while self.clock.now() < came + PATIENCE_S:
            answer = await self.stores[pod].take(CANDIDATES, RESERVE, horizon_s=HORIZON_S)
            if isinstance(answer, Granted):
                await self._until(answer.leave_at)
                self._leave(pod, came, answer)
                return
            at = min(answer.ask_at, came + PATIENCE_S, self.clock.now() + LOOK_AGAIN_S)
            await self._until(max(at, self.clock.now() + 0.001))

    def _leave(self, pod: int, came: float, granted: Granted) -> None:
        hour, now = self.hour(), self.clock.now()
        hour.left += 1
        hour.waits.append(now - came)
        self.got[pod] += 1
        for take in granted.reservation.takes:
            if take.seq:
                self.left.setdefault(take.bucket, []).append((now, take.amount))
        task = self.loop.create_task(self._serve(self.stores[pod], granted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, store: CommonStore, granted: Granted) -> None:
        await asyncio.sleep(self.random.uniform(2.0, 10.0))
        store.settle(granted.reservation, Cost(1, 500, self.random.randint(50, 1000)))

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(at - self.clock.now(), 0.0))


def table(day: Day) -> Iterable[str]:
    yield f"{'hour':>4} {'load':>5} {'asked/s':>8} {'left/s':>7} {'used':>6} {'given up':>8}" + (
        f" {'calls':>6} {'wait p50':>9} {'p99 s':>7}"
    )
    for number, hour in enumerate(day.hours):
        if not hour.left:
            continue
        waits = sorted(hour.waits)
        p50, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.99))
        rate = hour.left / day.hour_s
        yield (
            f"{number:>4} {load(number + 0.5):>5.2f} {hour.asked / day.hour_s:>8.2f} {rate:>7.2f}"
            f" {rate / min(hour.asked / day.hour_s, ALLOWED):>6.1%}"
            f" {max(hour.asked - hour.left, 0):>8} {hour.calls / hour.left:>6.2f}"
            f" {p50:>9.2f} {p99:>7.2f}"
        )


def play(hour_s: float, pods: int) -> Day:
    days: list[Day] = []

    async def run(loop: VirtualLoop) -> None:
        with bench.client() as client:
            days.append(Day(loop, Network(client, random.Random(1)), pods, hour_s))
            await days[0].run()

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        try:
            in_virtual_time(run)
        finally:
            bench.stop()
    return days[0]


def figures(hour_s: float = 60.0, pods: int = PODS, *, verbose: bool = False) -> list[Figure]:
    day = play(hour_s, pods)
    if verbose:
        print("\n".join(table(day)))
    busy = [hour for at, hour in enumerate(day.hours) if load(at + 0.5) > 1.0]
    calm = [hour for at, hour in enumerate(day.hours) if load(at + 0.5) < 0.9]
    used = sum(hour.left for hour in busy) / (ALLOWED * hour_s * len(busy))
    trips = [sum(h.calls for h in some) / sum(h.left for h in some) for some in (calm, busy)]
    fair = jain(got / asked for got, asked in zip(day.got, day.asked, strict=True) if asked)
    over = max(
        overrun(left, bucket) / RESERVE.of(bucket.dimension) for bucket, left in day.left.items()
    )
    name = f"a day of {pods:,} pods, 50 keys: "
    return [
        Figure(f"{name}used while more is asked", ">= 95 %", f"{used:.1%}", used >= 0.95, COMMAND),
        Figure(f"{name}requests over", "0", f"{over:.3f}", over <= JITTER, COMMAND),
        Figure(
            f"{name}calls to Redis per admitted request", "-",
            f"{trips[0]:.2f} below 0.9 load, {trips[1]:.2f} above 1", None, COMMAND,
        ),
        Figure(
            f"{name}pods served alike", "Jain >= 0.98", f"Jain {fair:.4f}", fair >= 0.98, COMMAND,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    numbers = [float(word) for word in sys.argv[1:]] + [60.0, PODS][len(sys.argv) - 1 :]
    show(figures(numbers[0], int(numbers[1]), verbose=True))
