"""Runs rows side by side: each has a daemon and a provider of its own, so none disturbs another."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

import msgspec

from tests.faults.bed import Bed
from tests.faults.card import Outcome, Row, Verdict, judge, required
from tests.faults.evidence import evidence

# Most rows only wait, so many run at once; starting a daemon is work, so few start at once.
AT_ONCE, STARTS_AT_ONCE = 14, 2
# The longest row takes 104 s: one of this length hangs, seconds.
HANGS_S = 240.0


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
            return await _played(bed)
    except Exception as error:
        return stumbled(row, error)


async def _played(bed: Bed) -> Outcome:
    """What came of it, with all that was seen if that is no pass."""
    try:
        async with asyncio.timeout(HANGS_S):
            outcome = judge(await bed.run())
    except Exception as error:
        outcome = stumbled(bed.row, error)
    if outcome.verdict is Verdict.PASS:
        return outcome
    return msgspec.structs.replace(outcome, evidence=f"{outcome.evidence}\n{_seen(bed)}".strip())


def _seen(bed: Bed) -> str:
    try:
        return evidence(bed.seen())
    except Exception as error:
        return f"nothing can be told of it: {type(error).__name__}: {error}"


def stumbled(row: Row, error: Exception) -> Outcome:
    """The row could not be played, or not be judged."""
    broken = required("the row can be run", False, f"{type(error).__name__}: {error}")
    where = "".join(traceback.format_exception(error))
    return Outcome(
        row=row, verdict=Verdict.FAIL, seen="", broken=(broken,), took_s=0.0, evidence=where
    )
