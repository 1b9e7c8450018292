"""A share of traffic for retries, so that an outage is not multiplied. Pure.

A count per request is no bound: with two retries each, a target that is down gets three times the
traffic it could not bear. Per target, a retry is granted while those of the last `WINDOW_S` seconds
are less than a share of what was asked of it anew in them, and a few for those who ask seldom (as
finagle and gRPC do it).
"""

from __future__ import annotations

from collections import deque

import msgspec

WINDOW_S = 10.0
"""What is counted together: finagle's ten seconds."""


class RetryLimits(msgspec.Struct, frozen=True):
    """`share` of the first tries, 0 to 1 (finagle's 20 %), and `at_least_per_s` besides."""

    share: float = 0.2
    at_least_per_s: float = 3.0


class RetryBudget:
    """One target's: counts by the second, and forgets what is older than the window."""

    __slots__ = ("_asked", "_limits", "_retried", "_seconds")

    def __init__(self, limits: RetryLimits) -> None:
        self._limits = limits
        # (the second, asked anew in it, retried in it), the oldest first; and their sums.
        self._seconds: deque[list[int]] = deque()
        self._asked = 0
        self._retried = 0

    def asked(self, now: float) -> None:
        """The target is asked, and not because it failed before."""
        self._second(now)[1] += 1
        self._asked += 1

    def take(self, now: float) -> bool:
        """May it be asked again? If so, that is counted."""
        if self.left(now) < 1.0:
            return False
        self._second(now)[2] += 1
        self._retried += 1
        return True

    def give_back(self, now: float) -> None:
        """A retry that was granted is not made after all."""
        self._second(now)[2] -= 1
        self._retried -= 1

    def left(self, now: float) -> float:
        """How many retries may be made now."""
        self._forget(now)
        share, least = self._limits.share, self._limits.at_least_per_s
        return share * self._asked + least * WINDOW_S - self._retried

    def _second(self, now: float) -> list[int]:
        self._forget(now)
        if not self._seconds or self._seconds[-1][0] != int(now):
            self._seconds.append([int(now), 0, 0])
        return self._seconds[-1]

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] <= now - WINDOW_S:
            _, asked, retried = self._seconds.popleft()
            self._asked -= asked
            self._retried -= retried
