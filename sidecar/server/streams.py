"""The calls that run now: counted, and ended with a typed error when the daemon's grace is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sidecar.core.failure import Reason, RequestFailed


class Streams:
    """Every open call registers here for as long as it runs."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._ending = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._tasks)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Be counted. Raises RequestFailed (DRAINING) if `end` cut the call short."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._idle.clear()
        try:
            yield
        except asyncio.CancelledError:
            if self._ending and task.uncancel() == 0:
                raise draining() from None
            raise
        finally:
            self._tasks.discard(task)
            if not self._tasks:
                self._idle.set()

    async def wait_idle(self, at_most_s: float) -> bool:
        """True as soon as no call runs; False if some still do after `at_most_s`."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def end(self) -> int:
        """End every call that still runs; each tells its client DRAINING. Returns how many."""
        self._ending = True
        for task in self._tasks:
            task.cancel()
        return len(self._tasks)


def draining() -> RequestFailed:
    """The error of a stream that the shutdown cut short."""
    return RequestFailed(
        Reason.DRAINING,
        "the daemon is shutting down and its grace is over; send the request again, with its "
        "request_id if it had one",
        retry_after_s=1.0,
    )
