"""From a provider's death to the next token at the caller."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway import AsyncClient
from headway.events import AnswerDelta, Attempt

from sidecar.core.clock import system_wall_ns
from sidecar.testing import RunningProvider
from sidecar.testing.journal import Entry
from tests.soak.caller import QUESTION, ROUTE
from tests.soak.load import at, house

TARGETS = ("deepseek/fake-60+ms-5+cut-answer-30", "other/fake-60+ms-5")
# It dies every time: a breaker would spare us that.
NEVER: dict[str, Any] = {"consecutive": 1_000_000, "at_least": 1_000_000}


@dataclass(slots=True)
class Figures:
    """Seconds from the cut to the next token, without the next provider's own first token."""

    added_s: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        values = [1000 * at(share, self.added_s) for share in (0.5, 0.99, 1.0)]
        return (
            f"{len(self.added_s)} cuts: the next token came the next provider's own first token "
            f"+ p50 {values[0]:.1f} ms, p99 {values[1]:.1f} ms, at most {values[2]:.1f} ms"
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
    ):
        for _ in range(cuts):
            figures.added_s.append(await _one(client, provider))
    return figures


async def _one(client: AsyncClient, provider: RunningProvider) -> float:
    seen = len(provider.log)
    began_again, next_token_ns = False, 0
    async for event in client.stream(ROUTE, QUESTION):
        if isinstance(event, Attempt):
            began_again = event.number == 2
        elif isinstance(event, AnswerDelta) and began_again and not next_token_ns:
            next_token_ns = system_wall_ns()
    died, after = provider.log[seen : seen + 2]
    assert after.first_token_s is not None
    return next_token_ns / 1e9 - _died_at(died) - (after.first_token_s - after.received_s)


def _died_at(entry: Entry) -> float:
    """Wall seconds; the log counts from the provider's start, in milliseconds."""
    assert entry.ended_s is not None
    return entry.received_wall_ns / 1e9 + (entry.ended_s - entry.received_s)
