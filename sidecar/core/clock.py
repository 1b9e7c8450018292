"""Time. The event loop owns it; this file alone may read a clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Two questions about time."""

    def now(self) -> float:
        """Monotonic seconds of the event loop; only differences mean anything."""

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC; for records and calendars, never for waiting."""


class LoopClock:
    """The running event loop's own time, so that a virtual loop moves everything at once.

    The wall time is anchored once and then follows the loop: the two never disagree within a run
    by more than `re_anchor` was asked to mend.

    `fine` reads the same clock as the loop's with more digits: uvloop's `time()` counts whole
    milliseconds of CLOCK_MONOTONIC, which `system_now` has in full.
    """

    __slots__ = ("_anchor_ns", "now")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        wall_ns: int | None = None,
        *,
        fine: Callable[[], float] | None = None,
    ) -> None:
        self.now = fine or loop.time
        self.re_anchor(time.time_ns() if wall_ns is None else wall_ns)

    def re_anchor(self, wall_ns: int) -> None:
        """Say what the wall time is now (a stepped system clock, or a simulated date)."""
        self._anchor_ns = wall_ns - round(self.now() * 1e9)

    def wall_ns(self) -> int:
        return self._anchor_ns + round(self.now() * 1e9)


def system_wall_ns() -> int:
    """The operating system's wall time: for `LoopClock.re_anchor` and for command line tools."""
    return time.time_ns()


def system_now() -> float:
    """The operating system's monotonic seconds: for code that runs before there is a loop."""
    return time.monotonic()
