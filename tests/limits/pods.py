"""Pods: stores of their own on one Redis, in one process, on the loop's clock."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sidecar.core.clock import LoopClock
from sidecar.limits.bucket import Bucket, Cost
from sidecar.limits.pool import Mode, Settings
from sidecar.limits.redis import RedisStore, connect
from sidecar.limits.store import Granted, Refused
from tests.limits.meters import one

PATIENT = 10.0
"""A command timeout, in seconds, that no busy machine reaches."""


class Pod:
    """One daemon's store."""

    def __init__(self, url: str, name: str, **settings: Any) -> None:
        self.prefix = str(settings.get("prefix", "headway"))
        self.modes: list[Mode] = []
        self._changed = asyncio.Event()
        self.clock = LoopClock(asyncio.get_running_loop())
        self.store: RedisStore = connect(
            url,
            self.clock,
            name,
            random.Random(name),
            settings=Settings(**{"command_timeout_s": PATIENT, "linger_s": 0.0, **settings}),
            on_mode=self._note,
        )

    async def take(self, *buckets: Bucket, **more: Any) -> Granted | Refused:
        return await self.store.take([one(*buckets)], more.pop("cost", Cost()), **more)

    async def fill(self, *buckets: Bucket, **more: Any) -> list[Granted]:
        """Take until refused."""
        granted = []
        while isinstance(answer := await self.take(*buckets, **more), Granted):
            granted.append(answer)
        return granted

    async def until(self, mode: Mode) -> None:
        """Wait for the store to be in `mode`."""
        while mode not in self.store.modes().values():
            self._changed.clear()
            await self._changed.wait()

    def _note(self, pool: str, mode: Mode) -> None:
        self.modes.append(mode)
        self._changed.set()

    async def settle(self, granted: Granted, actual: Cost) -> None:
        self.store.settle(granted.reservation, actual)
        await self.store.flush()


@asynccontextmanager
async def pods(url: str, count: int, **settings: Any) -> AsyncIterator[list[Pod]]:
    """`count` pods that share a prefix of their own."""
    prefix = f"pods-{uuid.uuid4()}"
    all_of_them = [Pod(url, f"pod{n}", **{"prefix": prefix, **settings}) for n in range(count)]
    try:
        yield all_of_them
    finally:
        await asyncio.gather(*(pod.store.aclose() for pod in all_of_them))
