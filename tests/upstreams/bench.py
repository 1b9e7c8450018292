"""A daemon in front of one upstream, over a wire that can be cut."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from headway import AsyncClient, Result

from tests.support.configs import Config
from tests.support.daemon import Daemon
from tests.upstreams.relay import Relay

TIMEOUT_S = 60.0
# Where a wire is cut: behind the response's head and some events, long before the end.
CUT_BYTES = 4000


@contextmanager
def short_folder() -> Iterator[Path]:
    """A Unix socket's path must be short."""
    made = Path(tempfile.mkdtemp(prefix="hw"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """`ask` goes through a running daemon; `wire` is what it speaks to the upstream by."""

    client: AsyncClient
    wire: Relay

    async def ask(self, model: str, text: str = "When does it leave?", **options: object) -> Result:
        asked = self.client.stream(model, text, timeout_s=TIMEOUT_S, **options)  # type: ignore[arg-type]
        async with asked as stream:
            return await stream.read()


@asynccontextmanager
async def bench(
    folder: Path, name: str, provider: Config, url: str, key: str, direct: str = ""
) -> AsyncIterator[Bench]:
    """`name` is the provider at `url`, by the key given; `direct` is the fake provider itself."""
    accounts = {"a": {"keys": [{"name": "k", "env": "UPSTREAM_KEY"}]}}
    async with Relay(url) as wire:
        providers = {name: {**provider, "base_url": wire.base_url, "accounts": accounts}}
        if direct:
            providers["deepseek"] = {"base_url": direct, "accounts": accounts}
        config = {
            "listen": [f"unix://{folder / 'headway.sock'}"],
            "providers": providers,
            "ledger": {"path": str(folder / "ledger.db")},
        }
        daemon = Daemon(folder, config, UPSTREAM_KEY=key)
        try:
            await daemon.start()
            async with daemon.client() as client:
                yield Bench(client, wire)
        finally:
            await daemon.close()
            print(daemon.log[-4000:])
