"""Is the common store there? Two failures in a row say no; a probe now and then asks. Pure."""

from __future__ import annotations

import random

FAILURES = 2
SHORTEST_PROBE_S = 0.2
LONGEST_PROBE_S = 0.5
"""Back to exact within a second of the store's return (limits 5.3, figure 9)."""


class StoreBreaker:
    """Closed: every decision goes to the store. Open: only probes do."""

    __slots__ = ("_failures", "_random", "open")

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self._failures = 0
        self.open = False

    def failed(self) -> bool:
        """True if this failure opened it."""
        self._failures += 1
        opened = not self.open and self._failures >= FAILURES
        self.open = self.open or opened
        return opened

    def worked(self) -> bool:
        """True if this success closed it."""
        closed, self.open, self._failures = self.open, False, 0
        return closed

    def probe_in_s(self) -> float:
        """How long to wait before the next probe; spread, so that pods do not knock together."""
        return self._random.uniform(SHORTEST_PROBE_S, LONGEST_PROBE_S)
