"""What the long ones have in common: a provider, a daemon, its memory, order in figures."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sidecar.testing import Key, ProviderConfig, RunningProvider, running_provider
from tests.support.configs import DEEPSEEK_KEY, OTHER_KEY, config
from tests.support.daemon import Daemon
from tests.upstream.certificates import Authority

KIB, MIB = 1024, 1024 * 1024
HOST = "localhost"
SETTINGS = ProviderConfig(
    keys={DEEPSEEK_KEY: Key("k1", "a"), OTHER_KEY: Key("o1", "b")}, keep=20_000, keep_bodies=0
)


@asynccontextmanager
async def house(
    folder: Path,
    *targets: str,
    send_buffer_bytes: int = 0,
    authority: Authority | None = None,
    **sections: Any,
) -> AsyncIterator[tuple[Daemon, RunningProvider]]:
    """A daemon with one route over `targets`, and the provider behind all of them, of whose answers
    the kernel takes `send_buffer_bytes` (0: as it likes). `authority`: it speaks TLS."""
    tls = authority.server_context(HOST) if authority is not None else None
    async with running_provider(
        SETTINGS, host=HOST, send_buffer_bytes=send_buffer_bytes, tls=tls
    ) as provider:
        settings = config(folder, provider.base_url, *targets, **sections)
        if authority is not None:
            for one in settings["providers"].values():
                one["ca_file"] = str(authority.ca_file)
        daemon = Daemon(folder, settings)
        try:
            yield await daemon.start(), provider
        finally:
            await daemon.close()


def at(share: float, values: Sequence[float]) -> float:
    """The value below which `share` of them lie, counted from the nearest."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line through `points`, by least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
