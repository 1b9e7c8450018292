"""Ways to run a fake provider: beside a test, in a test's own memory, or for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sidecar.core.clock import LoopClock
from sidecar.testing.config import ProviderConfig
from sidecar.testing.journal import Bill, Entry
from sidecar.testing.provider import FakeProvider
from sidecar.testing.scripts import Script
from sidecar.testing.server import FakeServer


class RunningProvider:
    """A fake provider that listens. `provider` and `server` have the rest of what it can do."""

    def __init__(self, provider: FakeProvider, server: FakeServer) -> None:
        self.provider = provider
        self.server = server

    @property
    def base_url(self) -> str:
        """http://127.0.0.1:PORT: DeepSeek's flavour there, others at /v1, /openai/v1, ..."""
        return self.server.base_url

    @property
    def log(self) -> tuple[Entry, ...]:
        return self.provider.log

    @property
    def bill(self) -> Bill:
        return self.provider.bill

    async def wait_until(self, holds: Callable[[tuple[Entry, ...]], bool]) -> None:
        """Until `holds(log)` is true; it is asked after every step of every attempt."""
        journal, moved = self.provider.journal, asyncio.Event()
        journal.watchers.append(moved.set)
        try:
            while not holds(self.log):
                moved.clear()
                await moved.wait()
        finally:
            journal.watchers.remove(moved.set)

    async def wait_over(self, attempts: int) -> None:
        """Until so many attempts have ended and none is open: a hang-up takes a while to arrive."""
        journal = self.provider.journal
        await self.wait_until(lambda _: journal.over >= attempts and not journal.running)


@asynccontextmanager
async def running_provider(
    config: ProviderConfig | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    script: Script | None = None,
) -> AsyncIterator[RunningProvider]:
    """A fake provider on a real socket for as long as the block lasts. OSError: port taken."""
    clock = LoopClock(asyncio.get_running_loop())
    provider = FakeProvider(config or ProviderConfig(), clock, script)
    server = FakeServer(provider, clock)
    await server.start(host, port)
    try:
        yield RunningProvider(provider, server)
    finally:
        await server.close()


async def serve(
    config: ProviderConfig,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Run until cancelled; `ready` is told the base URL once connections are accepted."""
    async with running_provider(config, host=host, port=port) as running:
        if ready is not None:
            ready(running.base_url)
        await asyncio.Event().wait()
