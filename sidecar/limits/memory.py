"""The store of one process: a dict of buckets. Decides without ever awaiting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sidecar.core.clock import Clock
from sidecar.core.request import Priority
from sidecar.limits import book
from sidecar.limits.book import CLASSES, Ask, Class, State
from sidecar.limits.bucket import US, Cost, Dimension, seconds
from sidecar.limits.changes import Changes
from sidecar.limits.habits import HoldTimes, Recency
from sidecar.limits.store import (
    BucketState,
    Candidate,
    Granted,
    Observation,
    Policy,
    Refused,
    Reservation,
)


class MemoryStore:
    """Buckets in this process's memory; exact while it lives alone."""

    def __init__(self, clock: Clock, classes: Mapping[Priority, Class] = CLASSES) -> None:
        self._clock = clock
        self._classes = classes
        self._states: dict[str, State] = {}
        self._open: dict[str, tuple[Reservation, Class]] = {}
        self._recency = Recency()
        self._holds = HoldTimes()
        self._changes = Changes()
        self._count = 0

    async def take(
        self,
        candidates: Sequence[Candidate],
        cost: Cost,
        *,
        priority: Priority = Priority.NORMAL,
        horizon_s: float = 0.0,
        lease_s: float = 15.0,
        policy: Policy = "least_wait",
    ) -> Granted | Refused:
        if not candidates:
            return Refused(math.inf, math.inf)
        now = self._clock.now()
        klass = self._classes[priority]
        self._count += 1
        lease = str(self._count)
        amounts = book.amounts_of(cost)
        round_robin = policy == "round_robin"
        ask = Ask(amounts, klass, horizon_s * US, lease_s * US, lease, round_robin)
        order = self._recency.order(candidates)
        rows = [self._row(candidates[at], now * US) for at in order]
        decision = book.decide(rows, ask, now * US)
        if isinstance(decision, book.Waits):
            return self._refused(decision, horizon_s, now)
        index = order[decision.index]
        chosen = candidates[index]
        self._recency.use(chosen.key)
        pool = chosen.buckets[0].pool if chosen.buckets else ""
        held = Reservation(lease, pool, chosen.key, decision.takes, now * US, lease_s)
        self._open[lease] = (held, klass)
        return Granted(index, max(seconds(decision.leave), now), held, decision.share)

    def ready_at(
        self, candidate: Candidate, cost: Cost, priority: Priority = Priority.NORMAL
    ) -> float:
        now = self._clock.now()
        ask = Ask(book.amounts_of(cost), self._classes[priority], 0.0, 0.0, "")
        states, ready = self._row(candidate, now * US)
        found = book.reach(states, ready, ask, now * US)
        blocker = found.blocker and found.blocker.bucket
        if blocker and book.is_guess(blocker, found.full, found.leave, now * US):
            return now + self._holds.wait_s(blocker)
        return max(seconds(found.leave), now)

    def certain_at(
        self, candidate: Candidate, cost: Cost, priority: Priority = Priority.NORMAL
    ) -> float:
        now = self._clock.now()
        ask = Ask(book.amounts_of(cost), self._classes[priority], 0.0, 0.0, "")
        states, ready = self._row(candidate, now * US)
        return max(seconds(book.certain_at(states, ready, ask, now * US)), now)

    def settle(self, reservation: Reservation, actual: Cost) -> None:
        held, klass = self._open.pop(reservation.id, (None, None))
        if held is None or klass is None:
            return
        now_us = self._clock.now() * US
        amounts = book.amounts_of(actual if actual.requests else Cost(0))
        for take in held.takes:
            state = self._states[take.bucket.id]
            book.settle(state, take, held.id, amounts[state.dim], klass, now_us)
            if state.dim == book.CONCURRENCY:
                self._holds.learn(take.bucket, now_us - held.taken_us)
        self._changes.announce(held.pool)

    def renew(self, reservation: Reservation) -> None:
        held, klass = self._open.get(reservation.id, (None, None))
        if held is None or klass is None:
            return
        expiry = (self._clock.now() + held.lease_s) * US
        for take in held.takes:
            if take.bucket.dimension is Dimension.CONCURRENCY:
                state = self._states[take.bucket.id]
                state.leases.renew(held.id, expiry)
                if klass.reserve > 0.0:
                    state.cover.renew(held.id, expiry)

    def observe(self, bucket_id: str, observation: Observation) -> None:
        state = self._states.get(bucket_id)
        if state is not None:
            book.observe(state, observation, self._clock.now() * US)

    def snapshot(self) -> tuple[BucketState, ...]:
        now_us = self._clock.now() * US
        return tuple(book.describe(state, now_us, 0.0) for state in self._states.values())

    async def wait_change(self, pool: str, until: float) -> None:
        await self._changes.wait(pool, until)

    async def aclose(self) -> None:
        """Nothing is owed to anybody."""

    def _row(self, candidate: Candidate, now_us: float) -> tuple[list[State], float]:
        states = []
        known = self._states
        for bucket in candidate.buckets:
            state = known.get(bucket.id)
            if state is None:
                state = known[bucket.id] = State(bucket)
            elif state.bucket is not bucket and state.bucket != bucket:
                state.configure(bucket, now_us)
            if now_us >= state.review:
                state.fresh(now_us)
            states.append(state)
        return states, candidate.ready_at * US

    def _refused(self, waits: book.Waits, horizon_s: float, now: float) -> Refused:
        if waits.leave == math.inf:
            return Refused(math.inf, math.inf, waits.blocker, waits.blocker is not None)
        blocker = waits.blocker
        if blocker and book.is_guess(blocker, waits.full, waits.leave, now * US):
            at = now + self._holds.wait_s(blocker)
            return Refused(at, at, blocker, guess=True)
        at = max(seconds(waits.leave), now)
        return Refused(at, max(at - horizon_s, now), waits.blocker)
