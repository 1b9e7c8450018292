"""The lease: permission for one attempt. Here, and nowhere else, a request waits.

An empty bucket, an open breaker, a resting key, a backoff: each says from when. The wait is for the
smallest of these over all (target, key) pairs of the route; to change key, to fail over, to wait or
to give up because the deadline comes first are outcomes of that one minimum.
"""

from __future__ import annotations

import asyncio

import msgspec

from sidecar.core.clock import Clock
from sidecar.failover.session import Session
from sidecar.gateway.admission import passed_in_queue
from sidecar.gateway.fleet import Fleet
from sidecar.gateway.line import Line, World
from sidecar.gateway.pulse import Pulse
from sidecar.gateway.search import HORIZON_S, LOOK_AGAIN_S, Search, Want, too_large
from sidecar.keys.ring import Key, KeyRing
from sidecar.limits.bucket import Cost
from sidecar.limits.store import Granted, Refused, Reservation, Store
from sidecar.routing.router import Option

# A concurrency lease that is not renewed is free again after this: a killed pod's slots come back
# (limits reference 5.3: within 15 s).
LEASE_S = 15.0
# And nobody looks again sooner than this, unless something changed: no store is polled.
SHORTEST_LOOK_S = 0.005

# Timers of uvloop count whole milliseconds; one more, so that nobody leaves before its slot.
TIMER_S = 0.001


class Lease(msgspec.Struct, frozen=True):
    """One attempt may be made: on `line` with `key`, within `reservation`."""

    rank: int
    line: Line
    key: Key
    reservation: Reservation
    want: Want
    world: World
    generation: int
    waited_s: float


class Leases:
    """Finds a lease for a session, waiting as long as its deadline allows."""

    def __init__(
        self, clock: Clock, store: Store, ring: KeyRing, changed: Pulse, fleet: Fleet
    ) -> None:
        self._clock = clock
        self._store = store
        self._ring = ring
        self._changed = changed
        self._fleet = fleet
        self._held: dict[str, Reservation] = {}

    async def renew(self) -> None:
        """Keep the concurrency of everything in flight alive; runs until cancelled."""
        while True:
            await asyncio.sleep(LEASE_S / 3)
            for reservation in list(self._held.values()):
                self._store.renew(reservation)

    def settle(self, reservation: Reservation, used: Cost) -> None:
        """Give back what a lease took and did not use, and let whoever waits look again."""
        self._held.pop(reservation.id, None)
        self._store.settle(reservation, used)
        self._changed.fire()

    def refuse_hopeless(self, session: Session, world: World, want: Want) -> None:
        """Raise RequestFailed if no lease can be had before the deadline, as things stand now."""
        now = self._clock.now()
        search = Search(session, world, want, self._ring, self._store, now)
        choice = search.choice()
        if choice is None or choice.ready_at > session.request.deadline:
            raise search.refusal(choice)

    def elsewhere(self, session: Session, lease: Lease) -> bool:
        """Could this request go on at another target than that of `lease`, and at once?"""
        now = self._clock.now()
        search = Search(session, lease.world, lease.want, self._ring, self._store, now)
        return search.beside(lease.rank) is not None

    async def beside(self, session: Session, lease: Lease) -> Lease | None:
        """A second lease, on another target, if there is one at once."""
        now = self._clock.now()
        search = Search(session, lease.world, lease.want, self._ring, self._store, now)
        choice = search.beside(lease.rank)
        if choice is None:
            return None
        return await self._take(search, choice, now, 0.0)

    def unused(self, lease: Lease) -> None:
        """Give a lease back with which no attempt was made."""
        now = self._clock.now()
        self._ring.excluded(lease.key, lease.line.target.model)
        lease.line.breaker.excluded(lease.generation, now)
        self.settle(lease.reservation, NOTHING_USED)

    async def acquire(self, session: Session, world: World, want: Want) -> Lease:
        """The lease for the next attempt of `session`.

        Raises RequestFailed when none can be had before the deadline; then nothing was taken.
        """
        began = self._clock.now()
        search = Search(session, world, want, self._ring, self._store, began)
        choice = search.at_once()
        if choice is not None:
            lease = await self._take(search, choice, began, search.patience_s)
            if lease is not None:
                return lease
        while True:
            now = self._clock.now()
            if now >= session.request.deadline:
                # It could not be foreseen, or it had been refused before.
                raise passed_in_queue()
            search = Search(session, world, want, self._ring, self._store, now)
            choice = search.choice()
            if choice is None or search.in_vain(choice):
                raise search.refusal(choice)
            if choice.ready_at > now + HORIZON_S:
                await self._changed.wait(min(choice.ready_at - now, LOOK_AGAIN_S))
                continue
            lease = await self._take(search, choice, began, HORIZON_S)
            if lease is not None:
                return lease

    async def _take(
        self, search: Search, choice: Option, began: float, horizon_s: float
    ) -> Lease | None:
        """Take for the chosen target with whichever of its keys is best; None: look again."""
        line, keys, candidates = search.candidates(choice)
        priority = search.session.request.completion.priority
        answer = await self._store.take(
            candidates,
            search.cost(choice.rank, candidates[0].buckets),
            priority=priority,
            horizon_s=horizon_s,
            lease_s=LEASE_S,
            policy=search.world.policy,
        )
        if isinstance(answer, Refused):
            if horizon_s == HORIZON_S:
                await self._after_refusal(answer, search)
            return None
        key = keys[answer.index]
        try:
            if answer.leave_at > search.session.request.deadline:
                raise search.too_late(answer.leave_at)
            return await self._leave(search, choice, line, key, answer, began)
        except BaseException:
            self.settle(answer.reservation, NOTHING_USED)
            raise

    async def _leave(
        self,
        search: Search,
        choice: Option,
        line: Line,
        key: Key,
        granted: Granted,
        began: float,
    ) -> Lease | None:
        """Wait for the committed slot, then check again what the wait may have changed."""
        if (wait_s := granted.leave_at - self._clock.now()) > 0:
            await asyncio.sleep(wait_s + TIMER_S)
        others_agree = await self._fleet.may_leave(line, key)
        now = self._clock.now()
        model = line.target.model
        own = max(line.breaker.ready_at(now), self._ring.standing(key, model, now).ready_at)
        if own > now or not others_agree:
            self.settle(granted.reservation, NOTHING_USED)
            return None
        self._held[granted.reservation.id] = granted.reservation
        self._ring.admitted(key, model, now)
        return Lease(
            rank=choice.rank,
            line=line,
            key=key,
            reservation=granted.reservation,
            want=search.want,
            world=search.world,
            generation=line.breaker.admit(now),
            waited_s=now - began,
        )

    async def _after_refusal(self, refused: Refused, search: Search) -> None:
        if refused.never:
            raise too_large(refused.bucket)
        now = self._clock.now()
        left_s = search.session.request.deadline - now
        if refused.ready_at - now > left_s and not refused.guess:
            raise search.refusal_by_store(refused)
        ask_s = min(max(refused.ask_at - now, SHORTEST_LOOK_S), LOOK_AGAIN_S)
        await self._changed.wait(min(ask_s, max(left_s, 0.0)) if refused.guess else ask_s)


NOTHING_USED = Cost(requests=0)
