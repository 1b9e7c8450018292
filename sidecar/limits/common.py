"""The store that many pods share, whatever carries its script: this pod's reservations.

The decisions are the script's; `pool.py` says what is sent when. Knows no library.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from sidecar.core.clock import Clock
from sidecar.core.request import Priority
from sidecar.limits import book, script
from sidecar.limits.book import CLASSES, Ask, Class, Waits
from sidecar.limits.breaker import StoreBreaker
from sidecar.limits.bucket import US, Bucket, Cost, Dimension
from sidecar.limits.changes import Changes
from sidecar.limits.habits import HoldTimes, Line, Recency
from sidecar.limits.held import Held, claims
from sidecar.limits.pool import Call, Mode, Pool, Settings, buckets_of
from sidecar.limits.script import Asked, Denial, Grant, Owed
from sidecar.limits.store import (
    BucketState,
    Candidate,
    Granted,
    Observation,
    Policy,
    Refused,
    Reservation,
    Take,
)

ALONE = "alone"
"""Generation of a reservation made without the store."""

STANDARD = Settings()


def nobody(pool: str, mode: Mode) -> None:
    """Nobody wants to know."""


class CommonStore:
    """Buckets that all pods share. `call` carries a document to the script and answers what it
    returned, or raises StoreAway. `pod` names this process; ids made of it appear in the store.
    `on_mode` hears when a pool goes on alone and when it is exact again."""

    def __init__(
        self,
        clock: Clock,
        call: Call,
        pod: str,
        rng: random.Random,
        *,
        settings: Settings = STANDARD,
        classes: Mapping[Priority, Class] = CLASSES,
        on_mode: Callable[[str, Mode], None] = nobody,
    ) -> None:
        self._clock = clock
        self._call = call
        self._pod = f"{pod}.{rng.getrandbits(32):08x}"
        self._random = rng
        self._settings = settings
        self._classes = classes
        self._on_mode = on_mode
        self._pools: dict[str, Pool] = {}
        self._homes: dict[str, Bucket] = {}
        self._open: dict[str, Held] = {}
        self._recency = Recency()
        self._holds = HoldTimes()
        self._line = Line()
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
        klass = self._classes[priority]
        soonest = Refused(math.inf, math.inf)
        for name, places in self._groups(candidates, cost, priority):
            self._count += 1
            lease = f"{self._pod}-{self._count}"
            ask = Ask(
                book.amounts_of(cost), klass, horizon_s * US, lease_s * US, lease,
                policy == "round_robin",
            )  # fmt: skip
            answer = await self._take(name, [candidates[at] for at in places], ask)
            if isinstance(answer, Granted):
                return msgspec.structs.replace(answer, index=places[answer.index])
            if answer.ready_at < soonest.ready_at or soonest.bucket is None:
                soonest = answer
        return soonest

    def ready_at(
        self, candidate: Candidate, cost: Cost, priority: Priority = Priority.NORMAL
    ) -> float:
        now = self._clock.now()
        if not candidate.buckets:
            return max(candidate.ready_at, now)
        pool, row = self._known(candidate, cost, priority, now)
        found = book.reach(*row)
        blocker = found.blocker and found.blocker.bucket
        if blocker and book.is_guess(blocker, found.full, found.leave, row[3]):
            return now + self._holds.wait_s(blocker, pool.fleet.pods)
        return max(pool.mirror.local_s(found.leave), now)

    def certain_at(
        self, candidate: Candidate, cost: Cost, priority: Priority = Priority.NORMAL
    ) -> float:
        now = self._clock.now()
        if not candidate.buckets:
            return max(candidate.ready_at, now)
        pool, row = self._known(candidate, cost, priority, now)
        return max(pool.mirror.local_s(book.certain_at(*row)), now)

    def _known(
        self, candidate: Candidate, cost: Cost, priority: Priority, now: float
    ) -> tuple[Pool, tuple[list[book.State], float, Ask, float]]:
        """What this pod knows of the candidate, as `book.reach` wants it."""
        pool = self._pool(candidate.buckets[0].pool)
        ask = Ask(book.amounts_of(cost), self._classes[priority], 0.0, 0.0, "")
        states = [self._state(pool, bucket) for bucket in candidate.buckets]
        now_us = pool.mirror.now_us()
        return pool, (states, now_us + (candidate.ready_at - now) * US, ask, now_us)

    def settle(self, reservation: Reservation, actual: Cost) -> None:
        held = self._open.pop(reservation.id, None)
        if held is None or not held.reservation.pool:
            return
        pool = self._pool(held.reservation.pool)
        pool.held.pop(reservation.id, None)
        amounts = book.amounts_of(actual if actual.requests else Cost(0))
        owed: list[Owed] = []
        for take in held.reservation.takes:
            used = amounts[book.INDEX[take.bucket.dimension]]
            owed += self._settle(pool, held, take, used)
            if take.bucket.dimension is Dimension.CONCURRENCY:
                lasted = self._clock.now() * US - held.reservation.taken_us
                self._holds.learn(take.bucket, lasted)
        pool.owe(owed)
        self._changes.announce(held.reservation.pool)

    def renew(self, reservation: Reservation) -> None:
        held = self._open.get(reservation.id)
        if held is not None and held.reservation.pool:
            self._pool(held.reservation.pool).owe(claims([held]))

    def observe(self, bucket_id: str, observation: Observation) -> None:
        bucket = self._homes.get(bucket_id)
        if bucket is not None:
            pool = self._pool(bucket.pool)
            pool.owe([script.owed_of(bucket, observation)])

    def snapshot(self) -> tuple[BucketState, ...]:
        found: list[BucketState] = []
        for pool in self._pools.values():
            now, lead = pool.mirror.now_us(), pool.mirror.now_us() - self._clock.now() * US
            share = 1.0 if pool.mode == "exact" else 1.0 / pool.fleet.pods
            for state in pool.mirror.states():
                one = book.describe(state, now, lead)
                found.append(msgspec.structs.replace(one, mode=pool.mode, share=share))
        return tuple(found)

    async def wait_change(self, pool: str, until: float) -> None:
        await self._changes.wait(pool, until)

    async def flush(self) -> None:
        """Return when the store has heard everything, or is away."""
        for pool in list(self._pools.values()):
            await pool.flush()

    async def aclose(self) -> None:
        await asyncio.gather(*(pool.aclose() for pool in self._pools.values()))

    def modes(self) -> dict[str, Mode]:
        """How each pool decides now."""
        return {name: pool.mode for name, pool in self._pools.items()}

    def round_trips(self) -> int:
        """Calls to the store since the start, of all pools."""
        return sum(pool.round_trips for pool in self._pools.values())

    def reconnected(self) -> None:
        """The client opened a new connection."""
        for pool in self._pools.values():
            pool.reconnected()

    async def _take(
        self, name: str, candidates: Sequence[Candidate], ask: Ask
    ) -> Granted | Refused:
        order = self._recency.order(candidates)
        rows = tuple(self._row(candidates[at]) for at in order)
        if not name:
            return self._free(candidates, order, ask)
        pool = self._pool(name)
        for _, buckets in rows:
            for bucket in buckets:
                self._state(pool, bucket)
        place_in_line = (ask.klass.name, candidates[0].buckets)
        asked = Asked(ask, rows, self._line.due(place_in_line))
        answer = await pool.decide(asked)
        now = self._clock.now()
        if isinstance(answer, (Denial, Waits)):
            if isinstance(answer, Denial):
                self._line.put(place_in_line, answer.ask)
            return self._refused(pool, answer, ask, now)
        self._line.leave(place_in_line)
        place = order[answer.index]
        chosen = candidates[place]
        if isinstance(answer, Grant):
            takes, generation = _takes(asked, answer), pool.generation
        else:
            takes, generation = answer.takes, ALONE
        held = Reservation(
            ask.lease, name, chosen.key, takes, now * US, ask.lease_us / US, generation
        )
        self._keep(pool, Held(held, ask.klass))
        self._recency.use(chosen.key)
        leave = max(pool.mirror.local_s(answer.leave), now)
        return Granted(place, leave, held, answer.share)

    def _keep(self, pool: Pool, held: Held) -> None:
        self._open[held.reservation.id] = held
        if held.seated:
            pool.keep(held)

    def _free(
        self, candidates: Sequence[Candidate], order: list[int], ask: Ask
    ) -> Granted | Refused:
        """Candidates without any limit need no store."""
        now = self._clock.now()
        place = min(order, key=lambda at: max(candidates[at].ready_at, now))
        chosen = candidates[place]
        if chosen.ready_at > now + ask.horizon_us / US:
            at = chosen.ready_at
            return Refused(at, max(at - ask.horizon_us / US, now))
        self._recency.use(chosen.key)
        held = Reservation(ask.lease, "", chosen.key, (), now * US, ask.lease_us / US)
        self._open[ask.lease] = Held(held, ask.klass)
        return Granted(place, max(chosen.ready_at, now), held)

    def _refused(self, pool: Pool, answer: Denial | Waits, ask: Ask, now: float) -> Refused:
        if answer.leave == math.inf:
            return Refused(math.inf, math.inf, answer.blocker, answer.blocker is not None)
        blocker = answer.blocker
        if blocker and book.is_guess(blocker, answer.full, answer.leave, pool.mirror.now_us()):
            at = now + self._holds.wait_s(blocker, pool.fleet.pods)
            return Refused(at, at, blocker, guess=True)
        at = max(pool.mirror.local_s(answer.leave), now)
        ask_at = at - ask.horizon_us / US
        if isinstance(answer, Denial):
            ask_at = pool.mirror.local_s(answer.ask)
        return Refused(at, max(ask_at, now), answer.blocker)

    def _settle(self, pool: Pool, held: Held, take: Take, used: int) -> tuple[Owed, ...]:
        """A reservation made alone is settled alone; when the store is back, it only hears what
        it cannot know: seats given back, and what was used beyond the estimate."""
        one = held.reservation
        if one.generation != ALONE:
            return script.owed_by(take, one.id, used, held.klass, one.generation)
        if pool.alone is not None:
            pool.alone.settle(take, one.id, used, held.klass, pool.mirror.now_us())
            return ()
        if take.bucket.dimension is not Dimension.CONCURRENCY and used <= take.amount:
            return ()
        return script.owed_by(take, one.id, used, held.klass, "")

    def _groups(
        self, candidates: Sequence[Candidate], cost: Cost, priority: Priority
    ) -> list[tuple[str, list[int]]]:
        """Places by pool, the soonest pool first: one decision never spans two hash tags."""
        groups: dict[str, list[int]] = defaultdict(list)
        for place, candidate in enumerate(candidates):
            if candidate.ready_at < math.inf:
                name = candidate.buckets[0].pool if candidate.buckets else ""
                groups[name].append(place)
        if len(groups) < 2:
            return list(groups.items())
        soonest = {
            name: min(self.ready_at(candidates[at], cost, priority) for at in places)
            for name, places in groups.items()
        }
        return sorted(groups.items(), key=lambda group: soonest[group[0]])

    def _row(self, candidate: Candidate) -> tuple[float, tuple[Bucket, ...]]:
        return (candidate.ready_at - self._clock.now()) * US, candidate.buckets

    def _state(self, pool: Pool, bucket: Bucket) -> book.State:
        self._homes[bucket.id] = bucket
        return pool.mirror.state(bucket)

    def _pool(self, name: str) -> Pool:
        pool = self._pools.get(name)
        if pool is None:
            pool = self._pools[name] = Pool(
                name,
                self._pod,
                self._clock,
                self._call,
                self._settings,
                StoreBreaker(self._random),
                self._on_mode,
                self._give_back,
            )
        return pool

    def _give_back(self, asked: Asked, grant: Grant) -> None:
        """Granted to somebody who is gone: never left."""
        lease, klass = asked.ask.lease, asked.ask.klass
        owed: list[Owed] = []
        pool = self._pool(buckets_of(asked, grant.index)[0].pool)
        for take in _takes(asked, grant):
            owed += script.owed_by(take, lease, 0, klass, pool.generation)
        pool.owe(owed)


def _takes(asked: Asked, grant: Grant) -> tuple[Take, ...]:
    buckets = buckets_of(asked, grant.index)
    amounts = asked.ask.amounts
    return tuple(
        Take(bucket, amounts[book.INDEX[bucket.dimension]], abs(seq), seq < 0)
        for bucket, seq in zip(buckets, grant.seqs, strict=True)
    )
