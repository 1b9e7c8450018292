"""Ways to run a fake provider: beside a test, in a test's own memory, or for ever."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sidecar.core.clock import LoopClock
from sidecar.testing import options
from sidecar.testing.config import DEFAULT_PRICE, ProviderConfig
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

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Until `holds()` is true; it is asked after every step of every attempt."""
        journal, moved = self.provider.journal, asyncio.Event()
        journal.watchers.append(moved.set)
        try:
            while not holds():
                moved.clear()
                await moved.wait()
        finally:
            journal.watchers.remove(moved.set)

    async def wait_over(self, attempts: int) -> None:
        """Until so many attempts have ended and none is open: a hang-up takes a while to arrive."""
        journal = self.provider.journal
        await self.wait_until(lambda: journal.over >= attempts and not journal.running)


@asynccontextmanager
async def running_provider(
    config: ProviderConfig | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    script: Script | None = None,
    send_buffer_bytes: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[RunningProvider]:
    """A fake provider on a real socket for as long as the block lasts. OSError: port taken.

    `send_buffer_bytes` and `tls` are FakeServer's.
    """
    clock = LoopClock(asyncio.get_running_loop())
    provider = FakeProvider(config or ProviderConfig(), clock, script)
    server = FakeServer(provider, clock, send_buffer_bytes, tls)
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


def main(
    host: str = "127.0.0.1",
    port: int = 7420,
    key: list[str] | None = None,
    limit: list[str] | None = None,
    price: list[str] | None = None,
    model: list[str] | None = None,
    pace_ms: float = 15.0,
    show: bool = False,
) -> None:
    """Run a fake provider until it is interrupted; with `show`, only print what names can say.

    key: NAME=SECRET[@ACCOUNT], none accepts any. limit: KIND:DIMENSION:AMOUNT/SECONDS, such as
    bucket:requests:60/60. price: MODEL=INPUT/OUTPUT in USD for a million tokens. model:
    NAME=BEHAVIOUR, another name for one. Raises ValueError for a text that means nothing.
    """
    if show:
        print(options.listing())
        return
    config = ProviderConfig(
        keys=options.keys_from(key or ()),
        quotas=options.quotas_from(limit or ()),
        prices=options.prices_from(price or (), DEFAULT_PRICE),
        aliases=options.aliases_from(model or ()),
        pace_s=pace_ms / 1000,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(config, host=host, port=port, ready=_announce))


def _announce(base_url: str) -> None:
    print(f"fake provider at {base_url} (log: {base_url}/_fake/log)", flush=True)
