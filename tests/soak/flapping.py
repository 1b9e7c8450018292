"""A provider that comes and goes for a minute, beside one that stands: who notices?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from headway import AsyncClient, HeadwayError
from msgspec.structs import replace

from sidecar.testing import Entry, RunningProvider, running_provider, written
from sidecar.testing.asked import Asked
from tests.soak.caller import PATIENCE_S, QUESTION, ROUTE
from tests.soak.load import SETTINGS
from tests.support.configs import config, deepseek, other
from tests.support.daemon import Daemon

# Down and up again, so many times: a minute.
FLAPS, DOWN_S, UP_S = 6, 5.0, 5.0
# The bound, and how long is looked on beyond it: then everybody is to be back.
BACK_WITHIN_S, AFTER_S = 30.0, 5.0
CALLERS = 10
# A first token takes its time, and so does a refusal: two probes at once would be seen.
FLAKY = "deepseek/fake-reasoner-10-20+ms-20+first-0.3"
STEADY = "other/fake-reasoner-10-20+ms-20"
REFUSES = "http-503+headers-0.3"
TEXT = written(0, 10, 20)
# The flaky one was spared, not just unlucky in who was asked, if it got nothing for so long while
# the other was asked so often: ten callers ask some eight times a second.
SPARED_S, MEANWHILE = 1.5, 5


class Weather:
    """The flaky provider's script: refuses everybody while `down`."""

    def __init__(self) -> None:
        self.down = False

    def next(self, asked: Asked, key: str) -> str | None:
        return REFUSES if self.down else None


@dataclass(slots=True)
class Figures:
    """What callers and providers saw. `healed_s`: when it came up for good, in its log's time."""

    calls: int = 0
    errors: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    flaky: tuple[Entry, ...] = ()
    steady: tuple[Entry, ...] = ()
    healed_s: float = 0.0

    @property
    def back_s(self) -> float:
        """From its recovery to the first answer that it gave."""
        good = (entry.received_s for entry in self.flaky if entry.status == 200)
        return min((at for at in good if at >= self.healed_s), default=float("inf")) - self.healed_s

    @property
    def late(self) -> int:
        """Calls that still went past it when it was to be back in use."""
        return sum(e.received_s > self.healed_s + BACK_WITHIN_S for e in self.steady)

    @property
    def refused(self) -> int:
        return sum(entry.status == 503 for entry in self.flaky)

    @property
    def probes(self) -> list[tuple[Entry, Entry]]:
        """Each attempt that came after the provider had been spared, and the one that followed."""
        return [
            (probe, after)
            for before, probe, after in zip(*(self.flaky[n:] for n in range(3)), strict=False)
            if self._spared(before.received_s, probe.received_s)
        ]

    @property
    def crowded(self) -> list[str]:
        """Probes that were not over when the next attempt came."""
        return [
            f"attempt {after.number} came at {after.received_s:.3f} s, before {probe.number} told "
            "anything"
            for probe, after in self.probes
            if after.received_s < (_told_s(probe) or float("inf"))
        ]

    def _spared(self, since_s: float, until_s: float) -> bool:
        meanwhile = sum(since_s < entry.received_s < until_s for entry in self.steady)
        return until_s - since_s >= SPARED_S and meanwhile >= MEANWHILE

    def __str__(self) -> str:
        return (
            f"{self.calls} calls while it flapped {FLAPS} times: {len(self.errors)} errors, "
            f"{len(self.wrong)} other texts; it refused {self.refused}, was probed "
            f"{len(self.probes)} times, {len(self.crowded)} of them not alone; back after "
            f"{self.back_s:.2f} s, {self.late} calls past it later than {BACK_WITHIN_S:g} s"
        )


async def run(folder: Path) -> Figures:
    """A minute of flaps under steady traffic, then half a minute of peace."""
    figures, weather = Figures(), Weather()
    async with (
        running_provider(SETTINGS, script=weather) as flaky,
        running_provider(SETTINGS) as steady,
        _daemon(folder, flaky, steady) as daemon,
        daemon.client() as client,
    ):
        over = asyncio.Event()
        callers = [asyncio.create_task(_caller(client, figures, over)) for _ in range(CALLERS)]
        for flap in range(FLAPS):
            await asyncio.sleep(UP_S)
            await _fall(flaky, weather, flap)
            await asyncio.sleep(DOWN_S)
            await _rise(flaky, weather, flap)
        figures.healed_s = flaky.server.clock.now() - flaky.provider.began_at
        await asyncio.sleep(BACK_WITHIN_S + AFTER_S)
        over.set()
        await asyncio.gather(*callers)
        figures.flaky = flaky.log
        figures.steady = _in_time_of(flaky, steady)
    return figures


@asynccontextmanager
async def _daemon(
    folder: Path, flaky: RunningProvider, steady: RunningProvider
) -> AsyncIterator[Daemon]:
    providers = {"deepseek": deepseek(flaky.base_url), "other": other(steady.base_url)}
    daemon = Daemon(folder, config(folder, "", FLAKY, STEADY, providers=providers))
    try:
        yield await daemon.start()
    finally:
        await daemon.close()


async def _fall(flaky: RunningProvider, weather: Weather, flap: int) -> None:
    """By turns it refuses what it is asked, or is gone with all its connections."""
    if flap % 2:
        await flaky.server.refuse()
    else:
        weather.down = True


async def _rise(flaky: RunningProvider, weather: Weather, flap: int) -> None:
    if flap % 2:
        await flaky.server.listen()
    else:
        weather.down = False


async def _caller(client: AsyncClient, figures: Figures, over: asyncio.Event) -> None:
    while not over.is_set():
        figures.calls += 1
        try:
            whole = await client.stream(ROUTE, QUESTION, timeout_s=PATIENCE_S).read()
        except HeadwayError as error:
            figures.errors.append(f"{error.reason or error.code}: {error}")
            continue
        if (whole.reasoning, whole.answer) != (TEXT.reasoning, TEXT.answer):
            figures.wrong.append(whole.answer)


def _told_s(entry: Entry) -> float | None:
    """When it said what it was worth; None: not yet."""
    return entry.head_s if entry.status != 200 else entry.first_token_s


def _in_time_of(one: RunningProvider, another: RunningProvider) -> tuple[Entry, ...]:
    """The log of `another`, its arrivals counted from the beginning of `one`."""
    later_s = another.provider.began_at - one.provider.began_at
    log = another.log
    return tuple(replace(entry, received_s=entry.received_s + later_s) for entry in log)
