"""Random histories of one store, and what must be true of each: nothing over, in any window."""

from __future__ import annotations

from collections import defaultdict

import msgspec
from hypothesis import strategies as st

from sidecar.core.request import Priority
from sidecar.limits.bucket import Bucket, Cost, Dimension
from sidecar.limits.store import Granted, Observation, Reservation
from tests.limits.meters import most_at_once, one, overrun, requests, seats, tokens
from tests.limits.worlds import World

ACCOUNT_A = (requests("a", limit=7, burst=3, per_s=3.0), tokens("at", 1000, 700, 10.0))
ACCOUNT_B = (requests("b", limit=2, burst=1, per_s=1.0), tokens("bt", 333, 400, 7.0))
SEATS_A, SEATS_B = seats("ac", 4), seats("bc", 2)
OWN = requests("own", limit=11, burst=2, per_s=9.0)
KEYS = (
    one(*ACCOUNT_A, SEATS_A, key="a1"),
    one(*ACCOUNT_A, SEATS_A, OWN, key="a2"),
    one(*ACCOUNT_B, SEATS_B, key="b1"),
    one(OWN, *ACCOUNT_B, key="b2"),
)
LEASE_S = 5.0


class Ask(msgspec.Struct, frozen=True):
    """One request: what it reserves, what it turns out to use, and for how long it runs."""

    gap_s: float
    keys: tuple[int, ...]
    reserve: int
    used: int
    hold_s: float
    end: str
    horizon_s: float
    priority: Priority
    says: Observation | None


ASKS = st.builds(
    Ask,
    gap_s=st.sampled_from([0.0, 0.0, 0.001, 0.1, 0.37, 1.0, 4.0]),
    keys=st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True).map(tuple),
    reserve=st.integers(0, 420),
    used=st.integers(0, 420),
    hold_s=st.sampled_from([0.0, 0.01, 0.3, 1.0, 3.0, 20.0]),
    end=st.sampled_from(["done", "done", "never left", "died", "cancelled"]),
    horizon_s=st.sampled_from([0.0, 0.5, 1.0]),
    priority=st.sampled_from(list(Priority)),
    says=st.one_of(
        st.none(),
        st.none(),
        st.builds(
            Observation,
            limit=st.one_of(st.none(), st.integers(1, 12)),
            remaining=st.one_of(st.none(), st.integers(0, 5)),
            wait_s=st.sampled_from([0.0, 0.4]),
            refused=st.booleans(),
        ),
    ),
)
HISTORIES = st.lists(ASKS, max_size=40)


class Recorder:
    """Plays a history and remembers what left, when, and what it kept."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kept: dict[Bucket, list[tuple[float, float]]] = defaultdict(list)
        self.sat: dict[Bucket, list[tuple[float, float]]] = defaultdict(list)
        self._running: list[tuple[float, Granted, Ask]] = []

    async def play(self, history: list[Ask]) -> None:
        for ask in history:
            await self._until(self.world.clock.now() + ask.gap_s)
            candidates = [KEYS[at] for at in ask.keys]
            answer = await self.world.take(
                *candidates,
                cost=Cost(1, ask.reserve // 2, ask.reserve - ask.reserve // 2),
                priority=ask.priority,
                horizon_s=ask.horizon_s,
                lease_s=LEASE_S,
            )
            if isinstance(answer, Granted):
                assert answer.leave_at <= self.world.clock.now() + max(ask.horizon_s, 1.0)
                self._running.append((answer.leave_at + ask.hold_s, answer, ask))
            if ask.says is not None:
                await self.world.observe(candidates[0].buckets[0], ask.says)
        await self._until(self.world.clock.now() + 100.0)

    async def _until(self, at: float) -> None:
        """Settle everything that ends by then, in order of time."""
        for end, granted, ask in sorted(self._running, key=lambda run: run[0]):
            if end > at:
                break
            self._running.remove((end, granted, ask))
            self.world.clock.time = max(self.world.clock.time, end)
            await self._end(granted, ask)
        self.world.clock.time = at

    async def _end(self, granted: Granted, ask: Ask) -> None:
        actual = {
            "done": Cost(1, 0, ask.used),
            "never left": Cost(0),
            "died": None,
            "cancelled": Cost(1, ask.used // 3, 0),
        }[ask.end]
        if actual is not None:
            await self.world.settle(granted.reservation, actual)
        self._note(granted.reservation, granted.leave_at, actual)

    def _note(self, held: Reservation, left: float, actual: Cost | None) -> None:
        for take in held.takes:
            if take.bucket.dimension is Dimension.CONCURRENCY:
                end = min(self.world.clock.now(), left + LEASE_S)
                self.sat[take.bucket].append((left, max(end, left)))
                continue
            used = take.amount if actual is None else actual.of(take.bucket.dimension)
            self.kept[take.bucket].append(
                (left, 0 if actual == Cost(0) else min(take.amount, used))
            )

    def worst(self) -> float:
        """Units by which the worst window of the worst bucket is over; <= 0 is right."""
        return max((overrun(left, at) for at, left in self.kept.items()), default=0.0)

    def worst_seats(self) -> int:
        """Seats by which the worst moment of the worst bucket is over; <= 0 is right."""
        over = (most_at_once(spans) - bucket.limit for bucket, spans in self.sat.items())
        return max(over, default=0)
