"""What this pod still has to tell the store, and how soon. Pure but for the clock it is given."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.core.clock import Clock
from sidecar.limits.script import Owed

MOST_AT_ONCE = 128
"""Corrections in one call."""
MOST_KEPT = 20_000
"""Beyond this, refunds are dropped: losing one only makes a bucket too cautious."""


class Debts:
    """Corrections in the order they came up, with the moment by which they have to go."""

    __slots__ = ("_clock", "_due", "_owed")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owed: list[Owed] = []
        self._due: float | None = None

    def __len__(self) -> int:
        return len(self._owed)

    def add(self, owed: Sequence[Owed], linger_s: float, *, first: bool = False) -> None:
        """Keep for at most `linger_s`; `first`: before everything else (healing)."""
        self._owed = [*owed, *self._owed] if first else [*self._owed, *owed]
        if len(self._owed) > MOST_KEPT:
            self._owed = [one for one in self._owed if not _refund(one)]
        if owed:
            due = self._clock.now() + linger_s
            self._due = due if self._due is None else min(self._due, due)

    def due_in_s(self) -> float | None:
        """None: nothing is owed."""
        return None if self._due is None else self._due - self._clock.now()

    def pop(self) -> list[Owed]:
        """What goes now; the rest stays due."""
        going, self._owed = self._owed[:MOST_AT_ONCE], self._owed[MOST_AT_ONCE:]
        self._due = self._clock.now() if self._owed else None
        return going


def _refund(owed: Owed) -> bool:
    return owed.kind == "settle" and isinstance(owed.rest[1], int) and owed.rest[1] > 0
