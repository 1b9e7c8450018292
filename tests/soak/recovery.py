"""From a provider's death to the next token at the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway import AsyncClient
from headway.events import AnswerDelta, Attempt

from sidecar.testing import RunningProvider
from tests.soak.caller import QUESTION, ROUTE
from tests.soak.load import at, house
from tests.support.machine import Starvation

TARGETS = ("deepseek/fake-60+ms-5+cut-answer-30", "other/fake-60+ms-5")
# The machine's waits are read so often: what is measured takes a few milliseconds.
LOOK_S = 0.002
# It dies every time: a breaker would spare us that.
NEVER: dict[str, Any] = {"consecutive": 1_000_000, "at_least": 1_000_000}


@dataclass(slots=True)
class Figures:
    """Seconds from the cut to the next token, without the next provider's own first token: as they
    passed, and without what the machine made daemon, provider and caller wait."""

    raw_s: list[float] = field(default_factory=list)
    own_s: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{len(self.raw_s)} cuts: the next token came the next provider's own first token + "
            f"{_told(self.own_s)}; with what the machine made it wait {_told(self.raw_s)}"
        )


async def run(folder: Path, cuts: int, patience: str | None = None) -> Figures:
    """So many streams, one after the other; the first target of each dies under it."""
    route: dict[str, Any] = {"targets": list(TARGETS)}
    if patience is not None:
        route["patience"] = patience
    figures = Figures()
    async with (
        house(folder, routes={ROUTE: route}, breaker=NEVER) as (daemon, provider),
        daemon.client() as client,
        Starvation(daemon.process.pid, every_s=LOOK_S) as starved,
    ):
        spans = [await _one(client, provider) for _ in range(cuts)]
    for span in spans:
        figures.raw_s.append(span.added_s)
        waited_s = starved.waited_s(span.died_at, span.next_token_at)
        figures.own_s.append(max(span.added_s - waited_s, 0.0))
    return figures


@dataclass(frozen=True, slots=True)
class Span:
    """Of one cut, in the loop's time; `first_token_s` is what the next provider took itself."""

    died_at: float
    next_token_at: float
    first_token_s: float

    @property
    def added_s(self) -> float:
        return self.next_token_at - self.died_at - self.first_token_s


async def _one(client: AsyncClient, provider: RunningProvider) -> Span:
    loop = asyncio.get_running_loop()
    seen = len(provider.log)
    began_again, next_token_at = False, 0.0
    async for event in client.stream(ROUTE, QUESTION):
        if isinstance(event, Attempt):
            began_again = event.number == 2
        elif isinstance(event, AnswerDelta) and began_again and not next_token_at:
            next_token_at = loop.time()
    died, after = provider.log[seen : seen + 2]
    assert died.ended_s is not None
    assert after.first_token_s is not None
    first_token_s = after.first_token_s - after.received_s
    return Span(provider.provider.began_at + died.ended_s, next_token_at, first_token_s)


def _told(values: Sequence[float]) -> str:
    p50, p99, most = (1000 * at(share, values) for share in (0.5, 0.99, 1.0))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {most:.1f} ms"
