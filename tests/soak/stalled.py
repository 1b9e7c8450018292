"""Readers that do not read: long streams pile up nowhere but with the provider."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from headway import AsyncClient

from sidecar.testing import RunningProvider
from tests.soak.caller import QUESTION, ROUTE
from tests.soak.load import MIB, house
from tests.support.daemon import Daemon

# Faster than it is read, and longer than all buffers on the way.
TARGET = "deepseek/fake-100000+ms-1+style-long"
# Memory has settled once it has not grown by more than this between two looks.
STILL_BYTES = MIB
LOOK_S = 5.0
# It is looked at no longer than this: a slow machine fills the buffers slowly.
MOST_LOOKS = 36


@dataclass(slots=True)
class Figures:
    """The daemon's memory before and with the readers, and how a brisk reader fared meanwhile."""

    readers: int
    before_bytes: int
    held_bytes: int
    sent_bytes: int
    brisk_s: float

    @property
    def each_bytes(self) -> float:
        return (self.held_bytes - self.before_bytes) / self.readers

    def __str__(self) -> str:
        return (
            f"{self.readers} stalled readers: resident {self.before_bytes / MIB:.1f} -> "
            f"{self.held_bytes / MIB:.1f} MiB, {self.each_bytes / 1024:.0f} KiB each; the provider "
            f"had sent {self.sent_bytes / MIB:.1f} MiB; a brisk reader beside them took "
            f"{self.brisk_s:.2f} s"
        )


async def run(folder: Path, readers: int) -> Figures:
    """Let so many stall, wait until nothing moves any more, and look."""
    routes = {ROUTE: {"targets": [TARGET]}, "brisk": {"targets": ["deepseek/fake-20+ms-5"]}}
    async with house(folder, routes=routes) as (daemon, provider), daemon.client() as client:
        await client.complete("brisk", QUESTION)
        before = daemon.rss_bytes
        stalled = [client.stream(ROUTE, QUESTION, timeout_s=900.0) for _ in range(readers)]
        for stream in stalled:
            await anext(stream)
        held = await _settled(daemon)
        brisk_s = await _brisk(client)
        figures = Figures(readers, before, held, _sent(provider), brisk_s)
        for stream in stalled:
            stream.close()
        return figures


async def _settled(daemon: Daemon) -> int:
    """The most it came to, once it grows no more."""
    most, still = daemon.rss_bytes, 0
    for _ in range(MOST_LOOKS):
        await asyncio.sleep(LOOK_S)
        now = daemon.rss_bytes
        still = still + 1 if now <= most + STILL_BYTES else 0
        most = max(most, now)
        if still == 3:
            break
    return most


async def _brisk(client: AsyncClient) -> float:
    answer = await client.complete("brisk", QUESTION, timeout_s=60.0)
    assert answer.answer
    return answer.timings.total_s or 0.0


def _sent(provider: RunningProvider) -> int:
    return sum(entry.sent_bytes for entry in provider.log)
