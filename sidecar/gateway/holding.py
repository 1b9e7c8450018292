"""Telling the ledger of attempts that still run, so that a killed daemon leaves a trace of them.

A sweep, not a write per attempt: what ends within one period is recorded as ended and was never in
danger, and what runs on is told again with what it has used by then.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

# An attempt younger than this may die with the daemon untold, seconds.
NEW_S = 0.25
# What was told is told anew when it is a quarter older, so that a kill hides little of a short
# stream too; but after so many sweeps, 2 s, at the latest.
OLDER, EVERY = 4, 8
# Telling takes 20 us: after so many others may run before the sweep goes on.
AT_ONCE = 16


class Running(Protocol):
    """An attempt that a provider was asked for."""

    def hold(self) -> None:
        """Say what its entry is should the daemon die now."""


class Holding:
    """All attempts that run."""

    def __init__(self) -> None:
        self._sweep = 0
        # The sweep before each began, and the one that is to tell of it next.
        self._running: dict[Running, tuple[int, int]] = {}

    def add(self, attempt: Running) -> None:
        self._running[attempt] = self._sweep, self._sweep + 1

    def discard(self, attempt: Running) -> None:
        self._running.pop(attempt, None)

    async def sweep(self) -> None:
        """Keep the ledger told; runs until cancelled."""
        while True:
            await asyncio.sleep(NEW_S)
            self._sweep += 1
            await self._tell()

    async def _tell(self) -> None:
        now = self._sweep
        due = [attempt for attempt, (_, at) in self._running.items() if at <= now]
        for place, attempt in enumerate(due, 1):
            if attempt in self._running:  # it may have ended while others ran
                began, _ = self._running[attempt]
                self._running[attempt] = began, now + _pause(now - began)
                attempt.hold()
            if place % AT_ONCE == 0:
                await asyncio.sleep(0)


def _pause(age: int) -> int:
    """Sweeps until an attempt of so many is told of again."""
    return min(-(-age // OLDER), EVERY)
