"""A circuit breaker per target. Closed: traffic flows. Open: tripped. Half-open: one probe.

A plain state machine: every question takes `now` (loop seconds). A result is counted only if it
belongs to the generation in which its attempt was admitted: late results of an older state say
nothing about the present one. What other pods say of their breakers for the same target comes in by
`heard` and `heard_closed`.
"""

from __future__ import annotations

import enum
import math
from collections import deque

import msgspec

# A good answer as young as this outweighs what other pods say of a target, seconds.
TRUST_S = 1.0


class State(enum.Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerPolicy(msgspec.Struct, frozen=True):
    """When to trip and how long to stay so. Times in seconds.

    Trips after `consecutive` failures in a row, or when at least `share` of no fewer than
    `at_least` results in the last `window_s` failed. Stays open for `open_s`, doubled at every
    failed probe up to `open_max_s`: a healed target is found within that time (failure card, S15
    allows 30 s). A probe that says nothing for `probe_s` makes room for another.
    """

    consecutive: int = 5
    share: float = 0.5
    at_least: int = 20
    window_s: float = 30.0
    open_s: float = 2.0
    open_max_s: float = 15.0
    probe_s: float = 60.0


class Breaker:
    """The breaker of one target."""

    __slots__ = (
        "_failures",
        "_generation",
        "_hearsay",
        "_last_ok",
        "_open_s",
        "_policy",
        "_results",
        "_until",
        "since",
        "state",
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._generation = 0
        self._failures = 0
        self._results: deque[tuple[float, bool]] = deque()
        self._open_s = policy.open_s
        self._until = 0.0
        self._last_ok = -math.inf
        self._hearsay = False
        self.since = -math.inf
        """Since when it is in its state, loop seconds; minus infinity: from the beginning."""
        self.state = State.CLOSED

    def _become(self, state: State, now: float) -> None:
        if state is not self.state:
            self.since = now
        self.state = state

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    def ready_at(self, now: float) -> float:
        """From when an attempt may be admitted; `now` if at once."""
        return now if self.state is State.CLOSED else max(now, self._until)

    def admit(self, now: float) -> int:
        """Let one attempt through; only when `ready_at(now) <= now`. Returns its generation."""
        if self.state is not State.CLOSED:
            self._generation += 1
            self._become(State.HALF_OPEN, now)
            self._until = now + self._policy.probe_s
        return self._generation

    def alive(self, generation: int, now: float) -> None:
        """A probe's first token is here: traffic may flow while the probe goes on talking. Its end
        still counts, as that of any other attempt."""
        if generation == self._generation and self.state is State.HALF_OPEN:
            self._become(State.CLOSED, now)
            self._until = self._last_ok = now
            self._open_s = self._policy.open_s

    def succeeded(self, generation: int, now: float) -> None:
        if generation != self._generation:
            return
        self._last_ok = now
        if self.state is State.HALF_OPEN:
            self._close(now)
        self._failures = 0
        self._count(ok=True, now=now)

    def failed(self, generation: int, now: float) -> None:
        if generation != self._generation:
            return
        if self.state is State.HALF_OPEN:
            self._open_s = min(2 * self._open_s, self._policy.open_max_s)
            self._trip(now)
            return
        self._failures += 1
        self._count(ok=False, now=now)
        if self._failures >= self._policy.consecutive or self._share_failed():
            self._trip(now)

    def excluded(self, generation: int, now: float) -> None:
        """The attempt proved nothing (cancelled, or the caller's own mistake)."""
        if generation == self._generation and self.state is State.HALF_OPEN:
            self._become(State.OPEN, now)
            self._until = now

    def heard(self, until: float, now: float) -> bool:
        """Another pod's breaker is open until then, or it probes until then. True if believed.

        A pod that had a good answer a moment ago trusts its own eyes: it may be the other's network
        that is down. A probe of one's own is no matter of hearsay either.
        """
        if self.state is not State.CLOSED:
            if self.state is State.OPEN:
                self._until = max(self._until, until)
            return True
        if until <= now or now - self._last_ok < TRUST_S:
            return False
        self._generation += 1
        self._become(State.OPEN, now)
        self._until, self._hearsay = until, True
        return True

    def heard_closed(self, now: float) -> None:
        """Another pod had a good answer: what was believed ends; what this pod saw itself may be
        looked at again at once."""
        if self.state is not State.OPEN:
            return
        if self._hearsay:
            self._close(now)
        self._until = now

    def _count(self, *, ok: bool, now: float) -> None:
        results = self._results
        results.append((now, ok))
        while results and results[0][0] < now - self._policy.window_s:
            results.popleft()

    def _share_failed(self) -> bool:
        total = len(self._results)
        if total < self._policy.at_least:
            return False
        bad = sum(1 for _, ok in self._results if not ok)
        return bad >= self._policy.share * total

    def _trip(self, now: float) -> None:
        self._generation += 1
        self._become(State.OPEN, now)
        self._until = now + self._open_s
        self._hearsay = False
        self._failures = 0
        self._results.clear()

    def _close(self, now: float) -> None:
        self._generation += 1
        self._become(State.CLOSED, now)
        self._open_s = self._policy.open_s
        self._results.clear()
