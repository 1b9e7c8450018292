"""Concurrency: seats held by leases that expire, and a limit that learns. Pure; microseconds."""

from __future__ import annotations

import math

FAST = 0.7
"""Cut after a refusal while falling: 500 to 39 in eight (limits, learning rule 6)."""
GENTLE = 0.9
"""Cut after a refusal of a limit that had been growing (Netflix AIMDLimit's backoff)."""
GROW_US = 1_000_000.0
"""At most one more seat per window, and only while half the limit is in use."""
CEILING_US = 60_000_000.0
"""How long a number that was refused is not tried again."""
TOLD_US = 600_000_000.0
"""How long a number that the provider told is not exceeded."""


class Leases:
    """Who holds a seat, and until when. An expiry only ever moves later."""

    __slots__ = ("_expiry", "_first")

    def __init__(self) -> None:
        self._expiry: dict[str, float] = {}
        self._first = math.inf

    def hold(self, lease: str, expiry_us: float) -> None:
        self._expiry[lease] = expiry_us
        self._first = min(self._first, expiry_us)

    def renew(self, lease: str, expiry_us: float) -> None:
        """The holder lives. One that had expired is counted again: it is in flight, after all."""
        self.hold(lease, max(self._expiry.get(lease, expiry_us), expiry_us))

    def release(self, lease: str) -> bool:
        """True if the seat was still held."""
        return self._expiry.pop(lease, None) is not None

    def used(self, now_us: float) -> int:
        """Seats held, the expired ones swept out."""
        if now_us >= self._first:
            self._expiry = {lease: at for lease, at in self._expiry.items() if at > now_us}
            self._first = min(self._expiry.values(), default=math.inf)
        return len(self._expiry)


class SeatLimit:
    """The number of seats now: the configured one, or less where the provider refused.

    Never above the configuration; grows by one seat a window while at least half is in use
    (additive increase), is cut on refusal (multiplicative decrease).
    """

    __slots__ = ("ceiling", "ceiling_until", "cut_at", "grown_at", "limit", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self.cut_at = -math.inf
        self.grown_at = -math.inf
        self.ceiling = most
        self.ceiling_until = -math.inf

    def configure(self, most: int) -> None:
        """The configuration changed; what was learned stays where it is tighter."""
        if self.limit == self.most or self.limit > most:
            self.limit = most
        self.most = most

    def tell(self, limit: int, now_us: float) -> None:
        """The provider named its limit."""
        if limit < self.most:
            self.limit = self.ceiling = max(limit, 1)
            self.ceiling_until = now_us + TOLD_US
            self.cut_at = now_us

    def refuse(self, used: int, sent_us: float, now_us: float) -> None:
        """The provider refused and named no number; once per cut and round trip."""
        if sent_us <= self.cut_at:
            return
        base = min(self.limit, max(used, 1))
        factor = GENTLE if self.grown_at > self.cut_at else FAST
        self.limit = max(math.floor(base * factor), 1)
        self.ceiling = max(base - 1, 1)
        self.ceiling_until = now_us + CEILING_US
        self.cut_at = now_us

    def grow(self, used: int, now_us: float) -> None:
        """A seat was taken, `used` are now in use: one more, if it is time."""
        if self.limit >= self.most or used * 2 < self.limit:
            return
        if now_us < max(self.cut_at, self.grown_at) + GROW_US:
            return
        if now_us < self.ceiling_until and self.limit >= self.ceiling:
            return
        self.limit += 1
        self.grown_at = now_us


def usable(limit: int, reserve: float) -> int:
    """Seats that a priority class with `reserve` may use; one at least."""
    return max(math.floor(limit * (1.0 - reserve)), 1)


def guaranteed(limit: int, guarantee: float) -> int:
    """Seats that a class may hold although the others fill its share; one at least."""
    return max(math.floor(limit * guarantee), 1)
