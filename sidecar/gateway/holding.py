"""Telling the ledger of attempts that still run, so that a killed daemon leaves a trace of them.

A sweep, not a write per attempt: what ends within one period is recorded as ended and was never in
danger, and what runs on is told again with what it has used by then.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from sidecar.ledger.entry import Entry

# An attempt younger than this may die with the daemon untold, seconds.
NEW_S = 0.25
# What was told is told anew when it is half as old again, so that a kill hides little of a short
# stream too; but after so many sweeps, 2 s, at the latest.
OLDER, EVERY = 2, 8
# So many are told with one write, of 6 KB (a write costs more than an entry): some 0.2 ms, after
# which others may run before the sweep goes on.
AT_ONCE = 16


class Running(Protocol):
    """An attempt that a provider was asked for."""

    def held(self) -> Entry:
        """What its entry is should the daemon die now."""


class Ledger(Protocol):
    """Who is told."""

    def hold(self, *entries: Entry) -> None: ...


class Holding:
    """All attempts that run."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
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
        due = [attempt for attempt, (_, at) in self._running.items() if at <= self._sweep]
        for start in range(0, len(due), AT_ONCE):
            if start:
                await asyncio.sleep(0)
            # Some may have ended while others ran.
            group = [one for one in due[start : start + AT_ONCE] if one in self._running]
            self._ledger.hold(*(attempt.held() for attempt in group))
            for attempt in group:
                began, _ = self._running[attempt]
                self._running[attempt] = began, self._sweep + _pause(self._sweep - began)


def _pause(age: int) -> int:
    """Sweeps until an attempt of so many is told of again."""
    return min(max(age // OLDER, 1), EVERY)
