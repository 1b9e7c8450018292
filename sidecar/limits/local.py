"""A pod on its own: decides by its safe share while the common store is away. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from sidecar.limits import book
from sidecar.limits.book import Ask, Chosen, Class, State, Waits
from sidecar.limits.bucket import Bucket
from sidecar.limits.script import Owed, Seen
from sidecar.limits.share import Fleet, beginning_us, shared, takes_turns, turn_us
from sidecar.limits.store import Take

AGAIN_US = 500_000.0
"""When to ask again for what only the store can give: it may be back."""


class LocalShare:
    """Shares of the buckets from `began_us` on; times are the store's clock, as last known."""

    def __init__(
        self, fleet: Fleet, seen: Mapping[str, Seen], began_us: float, *, whole: bool = False
    ) -> None:
        self.fleet = fleet
        self._seen = seen
        self._began_us = began_us
        self._whole = whole
        self._states: dict[str, State | None] = {}
        self._originals: dict[str, Bucket] = {}
        self._taken: dict[str, int] = defaultdict(int)

    def decide(
        self, candidates: Sequence[tuple[float, tuple[Bucket, ...]]], ask: Ask, now: float
    ) -> Chosen | Waits:
        """As `book.decide`, over the pod's share; places are those of `candidates`."""
        rows, places = [], []
        for place, (ready_in, buckets) in enumerate(candidates):
            states = [self._state(bucket) for bucket in buckets]
            known = [state for state in states if state is not None]
            if len(known) == len(states):
                ready = max([now + ready_in, *(self._turn(bucket, now) for bucket in buckets)])
                rows.append((known, ready))
                places.append(place)
        if not rows:
            first = next((bucket for _, buckets in candidates for bucket in buckets), None)
            return Waits(now + AGAIN_US, first, False)
        decision = book.decide(rows, ask, now)
        if isinstance(decision, Waits):
            return self._named(decision, candidates, ask, now)
        takes = tuple(self._own(take) for take in decision.takes)
        return msgspec.structs.replace(decision, index=places[decision.index], takes=takes)

    def settle(self, take: Take, lease: str, actual: int, klass: Class, now: float) -> None:
        state = self._states.get(take.bucket.id)
        if state is not None:
            book.settle(state, take, lease, actual, klass, now)

    def debts(self, now: float) -> list[Owed]:
        """What the store must be told when it is back: what was taken here and not yet refilled."""
        owed = []
        for name, units in self._taken.items():
            state = self._states[name]
            if state is not None:
                level = math.ceil(max(state.tat - now, 0.0) / state.unit)
                owed.append(Owed("debt", self._originals[name], (min(units, level),)))
        return [one for one in owed if one.rest[0]]

    def _state(self, bucket: Bucket) -> State | None:
        if bucket.id not in self._states:
            part = bucket if self._whole else shared(bucket, self.fleet)
            self._originals[bucket.id] = bucket
            self._states[bucket.id] = None if part is None else self._begin(part, bucket)
        return self._states[bucket.id]

    def _begin(self, part: Bucket, bucket: Bucket) -> State:
        state = State(part)
        seen = self._seen.get(bucket.id)
        if seen is not None:
            state.until = seen.until
        if state.dim != book.CONCURRENCY:
            last = seen.tat if seen is not None else 0.0
            empty = 0.0 if self._whole else beginning_us(part, self._began_us)
            state.tat = max(last, empty)
        elif seen is not None and seen.limit < bucket.limit:
            state.seats.tell(max(seen.limit // self.fleet.pods, 1), self._began_us)
        return state

    def _turn(self, bucket: Bucket, now: float) -> float:
        if self._whole or not takes_turns(bucket, self.fleet):
            return now
        return turn_us(bucket, self.fleet, now)

    def _own(self, take: Take) -> Take:
        if take.seq:
            self._taken[take.bucket.id] += take.amount
        return msgspec.structs.replace(take, bucket=self._originals[take.bucket.id])

    def _named(
        self,
        waits: Waits,
        candidates: Sequence[tuple[float, tuple[Bucket, ...]]],
        ask: Ask,
        now: float,
    ) -> Waits:
        """A request dearer than the share is not dearer than the bucket: the store may be back."""
        blocker = waits.blocker and self._originals[waits.blocker.id]
        if waits.leave < math.inf or blocker is None:
            return Waits(waits.leave, blocker, waits.full)
        if ask.amounts[book.INDEX[blocker.dimension]] <= blocker.burst:
            return Waits(now + AGAIN_US, blocker, False)
        return Waits(waits.leave, blocker, waits.full)
