"""Small memories that every store keeps: who was used last, how long seats are held. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from sidecar.limits.book import SEAT_POLL_US
from sidecar.limits.bucket import US, Bucket
from sidecar.limits.store import Candidate

SMOOTHING = 0.1
SHORTEST_WAIT_S = 0.001
LONGEST_WAIT_S = 1.0
FLEETS_ASKS_PER_S = 1000.0
"""Where more pods than this may wait for seats, each asks less often than once in a second."""


class Recency:
    """The order of least recent use, by key."""

    __slots__ = ("_count", "_last")

    def __init__(self) -> None:
        self._count = 0
        self._last: dict[str, int] = {}

    def order(self, candidates: Sequence[Candidate]) -> list[int]:
        """The candidates' places, least recently used first."""
        if len(candidates) == 1:
            return [0]
        last = self._last
        ages = [last.get(candidate.key, 0) for candidate in candidates]
        return sorted(range(len(ages)), key=ages.__getitem__)

    def use(self, key: str) -> None:
        self._count += 1
        self._last[key] = self._count


class Line:
    """When this pod's turn to ask is, by who asks for what: its place in the fleet's line.

    Whoever asks next for the same inherits the place.
    """

    __slots__ = ("_dues",)

    def __init__(self) -> None:
        self._dues: dict[Hashable, float] = {}

    def due(self, who: Hashable) -> float:
        """The last appointment, on the store's clock, past or not; 0 if there is none."""
        return self._dues.get(who, 0.0) if self._dues else 0.0

    def put(self, who: Hashable, at_us: float) -> None:
        self._dues[who] = at_us

    def leave(self, who: Hashable) -> None:
        """Served: the next one has to queue again."""
        if self._dues:
            self._dues.pop(who, None)


class HoldTimes:
    """How long seats are held, to guess when one comes free: limit / mean holding time."""

    __slots__ = ("_mean_us",)

    def __init__(self) -> None:
        self._mean_us: dict[str, float] = {}

    def learn(self, bucket: Bucket, held_us: float) -> None:
        mean = self._mean_us.get(bucket.id, held_us)
        self._mean_us[bucket.id] = mean + SMOOTHING * (held_us - mean)

    def wait_s(self, bucket: Bucket, pods: int = 1) -> float:
        """When to ask for a seat again, in seconds, if `pods` wait for the next one alike."""
        hold = self._mean_us.get(bucket.id)
        wait_s = SEAT_POLL_US / US if hold is None else pods * hold / bucket.limit / US
        return min(max(wait_s, SHORTEST_WAIT_S), max(LONGEST_WAIT_S, pods / FLEETS_ASKS_PER_S))
