"""The common store as this pod last saw it: for hints, for people, and for healing the store."""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.core.clock import Clock
from sidecar.limits.book import CONCURRENCY, State
from sidecar.limits.bucket import US, Bucket
from sidecar.limits.leases import Leases
from sidecar.limits.script import Answer, Owed, Seen

SCARCE = 0.75


class _Counted(Leases):
    """Seats as the store counted them; nobody knows here when they come free."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def used(self, now_us: float) -> int:
        return self.count


class Mirror:
    """Last seen numbers, and the lead of the store's clock over this process's."""

    def __init__(self, clock: Clock, same_clock: bool) -> None:
        self._clock = clock
        self._same_clock = same_clock
        self._lead_us = 0.0
        self.seen: dict[str, Seen] = {}
        self._states: dict[str, State] = {}

    def now_us(self) -> float:
        """The store's time, as far as one can know: not later than it really is."""
        return self._clock.now() * US + self._lead_us

    def local_s(self, at_us: float) -> float:
        """A moment of the store's clock in loop seconds: never earlier than it really is."""
        return (at_us - self._lead_us) / US

    def update(self, answer: Answer) -> None:
        if not self._same_clock:
            self._lead_us = answer.now - self._clock.now() * US
        for name, seen in answer.seen.items():
            self.seen[name] = seen
            state = self._states.get(name)
            if state is not None:
                _set(state, seen)

    def state(self, bucket: Bucket) -> State:
        """What is known of `bucket`, as a state that questions can be asked of."""
        state = self._states.get(bucket.id)
        if state is None:
            state = self._states[bucket.id] = State(bucket)
            state.leases = _Counted()
            if bucket.id in self.seen:
                _set(state, self.seen[bucket.id])
        elif state.bucket != bucket:
            state.configure(bucket, self.now_us())
        return state

    def states(self) -> Iterable[State]:
        return self._states.values()

    def scarce(self, bucket: Bucket) -> bool:
        """Are so many seats of `bucket` taken that somebody may be waiting for the next?"""
        seen = self.seen.get(bucket.id)
        return seen is None or seen.used >= SCARCE * seen.limit

    def heal(self, *, lost: bool) -> list[Owed]:
        """Everything seen, for a store that may have lost it, or surely has (`lost`): what was
        learned may be stale by now, and is only better than nothing."""
        return [
            Owed(
                "heal", state.bucket, (seen.tat, seen.unit or 1.0, seen.until, lost and seen.limit)
            )
            for name, state in self._states.items()
            if (seen := self.seen.get(name)) is not None
        ]

    def ghosts(self, name: str, live_s: float) -> list[Owed]:
        """Stand-ins for the seats that other pods held and have not claimed again yet."""
        return [
            Owed("ghosts", state.bucket, (self.seen[at].used, live_s * US, f"ghost-{name}"))
            for at, state in self._states.items()
            if state.dim == CONCURRENCY and at in self.seen
        ]


def _set(state: State, seen: Seen) -> None:
    state.until = seen.until
    if state.dim == CONCURRENCY:
        state.seats.limit = seen.limit
        if isinstance(state.leases, _Counted):
            state.leases.count = seen.used
        return
    state.tat, state.unit = seen.tat, seen.unit
    state.limit = state.learned = seen.limit
    whole = seen.limit >= state.bucket.limit
    state.burst = state.bucket.burst if whole else min(state.bucket.burst, seen.limit)
    state.room = state.burst * state.unit
