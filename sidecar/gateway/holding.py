"""Telling the ledger of attempts that still run, so that a killed daemon leaves a trace of them.

A sweep, not a write per attempt: what ends within one period is recorded as ended and was never in
danger, and what runs for minutes is told again with what it has used by then.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

# An attempt younger than this may die with the daemon untold, seconds.
NEW_S = 0.25
# What was told is told anew after so many sweeps: 2 s, by which a killed long stream is short.
EVERY = 8


class Running(Protocol):
    """An attempt that a provider has accepted."""

    def hold(self) -> None:
        """Say what its entry is should the daemon die now."""


class Holding:
    """All attempts that run."""

    def __init__(self) -> None:
        self._new: set[Running] = set()
        self._told: set[Running] = set()

    def add(self, attempt: Running) -> None:
        self._new.add(attempt)

    def discard(self, attempt: Running) -> None:
        self._new.discard(attempt)
        self._told.discard(attempt)

    async def sweep(self) -> None:
        """Keep the ledger told; runs until cancelled."""
        while True:
            for turn in range(EVERY):
                await asyncio.sleep(NEW_S)
                self._tell_new()
                if turn == EVERY - 1:
                    for attempt in self._told:
                        attempt.hold()

    def _tell_new(self) -> None:
        fresh, self._new = self._new, set()
        for attempt in fresh:
            attempt.hold()
        self._told |= fresh
