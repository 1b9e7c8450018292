"""How a task is ended for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_S = 1.0
"""A task that goes on for so long after its cancellation is cancelled again. Its clean-up, which a
second one would interrupt, takes milliseconds."""


async def ended(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel `tasks` and wait until each is over; what they raise is dropped.

    One cancellation is not enough. Before Python 3.12 `asyncio.wait_for`, in which redis-py sends
    every command and aiocache runs every one of its own, loses a cancellation that comes in the
    same turn of the loop as its result (cpython issue 86296): the task goes on as if nobody had
    spoken, and whoever waits for it waits for ever.
    """
    running = {task for task in tasks if task is not None}
    while running:
        for task in running:
            task.cancel()
        done, running = await asyncio.wait(running, timeout=AGAIN_S)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, so that nobody reports it as never retrieved
