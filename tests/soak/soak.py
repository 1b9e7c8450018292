"""Many streams for a long time: does the daemon's memory grow?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from headway import AsyncClient, HeadwayError

from sidecar.core.clock import system_now
from sidecar.testing import written
from tests.soak.caller import QUESTION, ROUTE
from tests.soak.load import MIB, house, slope
from tests.support.daemon import Daemon

# Two tokens a second and caller; every stream takes half a minute, some break and go on.
TARGETS = ("deepseek/fake-reasoner-20-40+ms-500+cut-answer-9@3", "other/fake-reasoner-20-40+ms-500")
TEXT = written(0, 20, 40)
SAMPLE_S = 5.0
# The share of the time that is left out at the beginning: pools fill, pages are first touched.
WARM_UP = 0.25


@dataclass(slots=True)
class Figures:
    """(seconds, resident bytes) of the daemon, and what became of the streams."""

    samples: list[tuple[float, float]] = field(default_factory=list)
    completed: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def settled(self) -> list[tuple[float, float]]:
        first = self.samples[-1][0] * WARM_UP
        return [sample for sample in self.samples if sample[0] >= first]

    @property
    def slope_mib_per_hour(self) -> float:
        return slope(self.settled) * 3600 / MIB

    def __str__(self) -> str:
        sizes = [size / MIB for _, size in self.settled]
        return (
            f"{self.samples[-1][0]:.0f} s, {self.completed} streams, {len(self.wrong)} wrong; "
            f"resident {sizes[0]:.1f} MiB after the warm-up, {sizes[-1]:.1f} at the end, at most "
            f"{max(sizes):.1f}; slope {self.slope_mib_per_hour:+.2f} MiB/h"
        )


async def run(folder: Path, streams: int, seconds: float) -> Figures:
    """Keep `streams` callers busy for so long, and watch the daemon's memory."""
    figures = Figures()
    async with house(folder, *TARGETS) as (daemon, _), daemon.client() as client:
        callers = [asyncio.create_task(_caller(client, figures)) for _ in range(streams)]
        await _watch(daemon, figures, seconds)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    return figures


async def _watch(daemon: Daemon, figures: Figures, seconds: float) -> None:
    began = system_now()
    while (passed := system_now() - began) < seconds:
        figures.samples.append((passed, float(daemon.rss_bytes)))
        await asyncio.sleep(SAMPLE_S)


async def _caller(client: AsyncClient, figures: Figures) -> None:
    while True:
        try:
            whole = await client.stream(ROUTE, QUESTION, timeout_s=120.0).read()
        except HeadwayError as error:
            figures.wrong.append(str(error))
            continue
        if whole.answer == TEXT.answer:
            figures.completed += 1
        else:
            figures.wrong.append(whole.answer)
