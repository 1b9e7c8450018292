"""Waking whoever waits for a seat: no polling inside one process."""

from __future__ import annotations

import asyncio
import contextlib
import math


class Changes:
    """One broadcast per pool. A wake-up is a hint: whoever wakes asks the store again."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def announce(self, pool: str) -> None:
        """Something became free in `pool`."""
        future = self._waiting.pop(pool, None)
        if future is not None and not future.done():
            future.set_result(None)

    async def wait(self, pool: str, until: float) -> None:
        """Return at the next announcement, or at `until` (loop seconds)."""
        loop = asyncio.get_running_loop()
        future = self._waiting.get(pool)
        if future is None or future.done():
            future = self._waiting[pool] = loop.create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(None if until == math.inf else until):
                await asyncio.shield(future)
