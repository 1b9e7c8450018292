"""H22 to H28: slow, silent, and late."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from headway.v1 import status_pb2

from sidecar.testing import Ending, Entry, written
from tests.faults.bed import Bed
from tests.faults.bounds import in_time, late_by
from tests.faults.card import ANYTHING, Check, Row, Seen, Side, advisory, required
from tests.faults.published import BACKUP, s06

THOUGHT = written(0, 20, 20)
# H28: the caller's deadline, how late its end may come, how late the provider's connection's.
DEADLINE_S, LATE_S, CLOSED_S = 1.0, 0.050, 0.250
# What gRPC tells the daemon of a deadline is rounded.
EARLY_S = 0.020
# H22: within what a drip is to be left.
FLOOR_DECIDED_S = 15.0
# H23: for how long a first token is waited for.
BUDGET_S = 5.0
EXCEEDED = "DEADLINE_EXCEEDED"
PHASES = ("headers", "reasoning", "answer")


def alone(seen: Seen) -> Iterator[Check]:
    """No false alarm: the one attempt was left to finish."""
    yield required("one attempt", len(seen.log) == 1, len(seen.log))


def h22(seen: Seen) -> Iterator[Check]:
    slow = seen.on(0)
    yield in_time("decided within 15 s", FLOOR_DECIDED_S, seen.starved_s, *ran(seen, slow[0]))
    yield required("asked once", len(slow) == 1, len(slow))
    causes = [attempt.reason for attempt in seen.call.attempts[1:]]
    yield required("told as too slow", causes == ["STREAM_TOO_SLOW"], causes)


async def looked_at_meanwhile(bed: Bed) -> None:
    """One call; while its first token is waited for, somebody asks for the status."""
    call = asyncio.create_task(bed.call())
    status = await bed.wait_status(lambda status: any(waiting_for_a_token(status)))
    bed.notes["awaited"] = list(waiting_for_a_token(status))
    await call


def waiting_for_a_token(status: status_pb2.DaemonStatus) -> Iterator[tuple[str, int, float, bool]]:
    """The target, how many attempts, how long each may wait, and whether that is to come yet."""
    for target in status.targets:
        for awaited in target.awaited:
            if awaited.stage == status_pb2.ATTEMPT_STAGE_FIRST_TOKEN:
                since, until = (at.ToNanoseconds() for at in (awaited.since, awaited.until))
                now = status.time.ToNanoseconds()
                budget_s = round((until - since) / 1e9, 2)
                yield target.model, awaited.attempts, budget_s, since <= now <= until


def h23(seen: Seen) -> Iterator[Check]:
    model = seen.row.sides[0].model
    told = seen.notes["awaited"]
    yield required(
        "`GetStatus` tells what is waited for", told == [(model, 1, BUDGET_S, True)], told
    )
    first = seen.on(0)[0]
    began, ended = ran(seen, first)
    yield required("the budget of 5 s is given", ended - began >= BUDGET_S - EARLY_S, ended - began)
    yield in_time(
        "given up at the budget of 5 s", BUDGET_S + CLOSED_S, seen.starved_s, began, ended
    )
    yield advisory("asked once", len(seen.on(0)) == 1, len(seen.on(0)))


def ran(seen: Seen, entry: Entry) -> tuple[float, float]:
    """From when to when an attempt ran, in the loop's time."""
    return seen.zero + entry.received_s, seen.zero + (entry.ended_s or 0.0)


def slow(model: str, **timeouts: str) -> tuple[Side, ...]:
    side = Side(provider="primary", model=model, reasoning="reasoner" in model, timeouts=timeouts)
    return side, BACKUP


async def a_deadline_in_each_phase(bed: Bed) -> None:
    """Three at the provider. Then in the queue behind a stream that has the only place, at its head
    and behind it: nobody knows when that place comes free. Last behind a rate, which is known."""
    for phase in PHASES:
        await bed.call(phase, timeout_s=DEADLINE_S)
    holder = asyncio.create_task(bed.stream("narrow").read())
    await bed.wait_log(lambda log: any("#narrow" in entry.model for entry in log))
    await asyncio.gather(*(bed.call("narrow", timeout_s=DEADLINE_S) for _ in range(2)))
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)
    for _ in range(2):
        await bed.call("rated", timeout_s=DEADLINE_S)


def h28(seen: Seen) -> Iterator[Check]:
    *unforeseen, served, foreseen = seen.calls
    for call in unforeseen:
        code = call.error.code.name if call.error else "OK"
        yield required(f"{call.route}: the deadline is told", code == EXCEEDED, code)
        early = call.took_s < DEADLINE_S - EARLY_S
        yield required(f"{call.route}: and not before", not early, f"{call.took_s:.3f} s")
        yield late_by(f"{call.route}: within 50 ms", LATE_S, call.took_s - DEADLINE_S,
                      seen.starved_s(call.began, call.ended))  # fmt: skip
    for call in unforeseen[: len(PHASES)]:
        entry = seen.of_call(call)[0]
        yield from closed(seen, entry, call.began + DEADLINE_S)
    asked = [entry for entry in seen.log if entry.model.endswith(("#narrow", "#rated"))]
    yield required("those in the queue asked nobody", len(asked) == 2, len(asked))
    yield required("what a rate allows is served", served.error is None, served.ending)
    yield required("what it cannot in time is told so", foreseen.ending == "DEADLINE_TOO_SHORT",
                   foreseen.ending)  # fmt: skip
    yield in_time("foreseen: at once", LATE_S, seen.starved_s, foreseen.began, foreseen.ended)
    rows = [row for row in seen.ledger if row["model"].endswith(("#reasoning", "#answer"))]
    settled = [row["output_tokens"] for row in rows]
    yield required("tokens are settled", len(rows) == 2 and all(settled), settled)


def closed(seen: Seen, entry: Entry, at: float) -> Iterator[Check]:
    """The provider's connection was closed because of us, soon after `at`."""
    _, ended = ran(seen, entry)
    gone = entry.ending is Ending.CLIENT_CLOSED
    yield required("upstream is closed", gone, entry.ending.value)
    what = f"{entry.model.partition('#')[2]}: upstream is closed within 250 ms"
    yield in_time(what, CLOSED_S, seen.starved_s, at, ended)


def deadline_sides() -> tuple[Side, ...]:
    models = ("fake-60+headers-20", "fake-reasoner-400-10", "fake-400")
    sides = tuple(Side(provider="primary", model=m, reasoning=True) for m in models)
    narrow = Side(provider="narrow", model="fake-400", limits=({"concurrency": 1},))
    rated = Side(provider="rated", model="fake-4", limits=({"requests": 1, "burst": 1},))
    return (*sides, narrow, rated)


SLOWNESS = (
    Row(id="H22", fault="one token per second where a hundred are normal", judge=h22,
        sides=(Side(provider="primary", model="fake-60+tps-1"), BACKUP), lasts_s=14),
    Row(id="H22-alone", fault="the same with nowhere to go: left alone", judge=alone,
        sides=(Side(provider="primary", model="fake-12+tps-1"),), text=written(0, 0, 12),
        lasts_s=15),
    Row(id="H23", fault="keep-alive comments for 30 s", judge=h23, lasts_s=9,
        story=looked_at_meanwhile,
        sides=slow("fake-60+keepalive-30-1", first_event=f"{BUDGET_S:g}s")),
    Row(id="H24", fault="a reasoning model silent for 100 s, then healthy", judge=alone,
        sides=slow("fake-reasoner-20-20+first-100"), text=THOUGHT, within_s=110, lasts_s=104),
    Row(id="H25", fault="12 s between reasoning and answer, where tokens may take 5 s",
        judge=alone, text=THOUGHT, lasts_s=15,
        sides=slow("fake-reasoner-20-20+gap-12", answer_gap="5s", reasoning_gap="5s",
                   turn_gap="30s")),
    Row(id="H26", fault="the second token after 8 s, where the first may take 4 s", judge=alone,
        sides=slow("fake-60+second-8", first_event="4s"), lasts_s=11),
    Row(id="H27", fault="no headers for 60 s", judge=s06, within_s=100, lasts_s=34,
        sides=(Side(provider="primary", model="fake-60+headers-60"), BACKUP)),
    Row(id="H28", fault="the caller's deadline in every phase", judge=h28,
        story=a_deadline_in_each_phase, sides=deadline_sides(), wants=ANYTHING, lasts_s=6,
        alone=True,
        routes={"headers": (0,), "reasoning": (1,), "answer": (2,), "narrow": (3,),
                "rated": (4,)}),
)  # fmt: skip
