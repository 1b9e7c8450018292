"""Runs rows side by side: each has a daemon and a provider of its own, so none disturbs another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

from tests.faults.bed import Bed
from tests.faults.card import Outcome, Row, Verdict, judge, required

# Most rows only wait, so many run at once; starting a daemon is work, so few start at once.
AT_ONCE, STARTS_AT_ONCE = 14, 2


async def run_rows(
    rows: Iterable[Row], told: Callable[[Outcome], None] = lambda outcome: None
) -> dict[str, Outcome]:
    """The outcomes by id; the longest rows begin first, those that must be alone come last. `told`
    hears of each as it ends."""
    places, starts = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(STARTS_AT_ONCE)

    async def one(row: Row) -> Outcome:
        async with places:
            outcome = await run_row(row, starts)
        told(outcome)
        return outcome

    longest_first = sorted(rows, key=lambda row: -row.lasts_s)
    outcomes = await asyncio.gather(*(one(row) for row in longest_first if not row.alone))
    outcomes += [await one(row) for row in longest_first if row.alone]
    in_order = sorted(outcomes, key=lambda o: (not o.row.id.startswith("S"), o.row.id))
    return {outcome.row.id: outcome for outcome in in_order}


async def run_row(row: Row, starts: asyncio.Semaphore) -> Outcome:
    """Play one row. Whatever the runner itself stumbles over is a fail, and told."""
    try:
        async with AsyncExitStack() as stack:
            async with starts:
                bed = await stack.enter_async_context(Bed(row))
            return judge(await bed.run())
    except Exception as error:
        broken = required("the row can be run", False, f"{type(error).__name__}: {error}")
        return Outcome(row=row, verdict=Verdict.FAIL, seen="", broken=(broken,), took_s=0.0)
