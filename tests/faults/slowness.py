"""H22 to H28: slow, silent, and late."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from sidecar.testing import Ending, Entry, written
from tests.faults.bed import Bed
from tests.faults.card import ANYTHING, Check, Row, Seen, Side, advisory, required
from tests.faults.published import BACKUP, s06

THOUGHT = written(0, 20, 20)
# H28: the caller's deadline, how late its end may come, how late the provider's connection's.
DEADLINE_S, LATE_S, CLOSED_S = 1.0, 0.050, 0.250
# H22: within what a drip is to be left.
FLOOR_DECIDED_S = 15.0
EXCEEDED = "DEADLINE_EXCEEDED"
PHASES = ("headers", "reasoning", "answer")


def alone(seen: Seen) -> Iterator[Check]:
    """No false alarm: the one attempt was left to finish."""
    yield required("one attempt", len(seen.log) == 1, len(seen.log))


def h22(seen: Seen) -> Iterator[Check]:
    slow = seen.on(0)
    ran_s = running_s(seen, slow[0])
    yield required("decided within 15 s", ran_s <= FLOOR_DECIDED_S, f"{ran_s:.2f} s")
    yield required("asked once", len(slow) == 1, len(slow))
    causes = [attempt.reason for attempt in seen.call.attempts[1:]]
    yield required("told as too slow", causes == ["STREAM_TOO_SLOW"], causes)


def h23(seen: Seen) -> Iterator[Check]:
    first = seen.on(0)[0]
    lasted_s = (first.ended_s or 0.0) - first.received_s
    right = lasted_s >= 4.9 and running_s(seen, first) <= 7.0
    yield required("given up at the budget of 5 s", right, f"{lasted_s:.2f} s")
    yield advisory("asked once", len(seen.on(0)) == 1, len(seen.on(0)))


def running_s(seen: Seen, entry: Entry) -> float:
    """How long an attempt ran, less what the machine took."""
    begin, end = entry.received_s, entry.ended_s or 0.0
    return end - begin - seen.starved_s(seen.zero + begin, seen.zero + end)


def slow(model: str, **timeouts: str) -> tuple[Side, ...]:
    side = Side(provider="primary", model=model, reasoning="reasoner" in model, timeouts=timeouts)
    return side, BACKUP


async def four_deadlines(bed: Bed) -> None:
    """A deadline in each phase; the last in the queue, behind a stream that has the only place."""
    for phase in PHASES:
        await bed.call(phase, timeout_s=DEADLINE_S)
    holder = asyncio.create_task(bed.stream("narrow").read())
    await bed.wait_log(lambda log: any("#narrow" in entry.model for entry in log))
    await bed.call("narrow", timeout_s=DEADLINE_S)
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)


def h28(seen: Seen) -> Iterator[Check]:
    for call in seen.calls:
        late_s = call.took_s - DEADLINE_S - seen.starved_s(call.began, call.ended)
        code = call.error.code.name if call.error else "OK"
        # In the queue it may be known at once that the deadline is too short.
        known = call.route == "narrow" and call.ending == "DEADLINE_TOO_SHORT"
        yield required(f"{call.route}: the deadline is told", known or code == EXCEEDED, code)
        yield required(f"{call.route}: within 50 ms", late_s <= LATE_S, f"{late_s * 1e3:.0f} ms")
    for call in seen.calls[:-1]:
        entry = seen.of_call(call)[0]
        yield from closed(seen, entry, call.began + DEADLINE_S)
    queued = seen.of_call(seen.calls[-1])
    yield required("the one in the queue asked nobody", not queued, len(queued))
    rows = [row for row in seen.ledger if row["model"].endswith(("#reasoning", "#answer"))]
    settled = [row["output_tokens"] for row in rows]
    yield required("tokens are settled", len(rows) == 2 and all(settled), settled)


def closed(seen: Seen, entry: Entry, at: float) -> Iterator[Check]:
    """The provider's connection was closed because of us, soon after `at`."""
    ended = seen.zero + (entry.ended_s or 0.0)
    late_s = ended - at - seen.starved_s(at, ended)
    gone = entry.ending is Ending.CLIENT_CLOSED
    yield required("upstream is closed", gone, entry.ending.value)
    yield required("within 250 ms", late_s <= CLOSED_S, f"{late_s * 1e3:.0f} ms")


def deadline_sides() -> tuple[Side, ...]:
    models = ("fake-60+headers-20", "fake-reasoner-400-10", "fake-400")
    sides = tuple(Side(provider="primary", model=m, reasoning=True) for m in models)
    narrow = Side(provider="narrow", model="fake-400", limits=({"concurrency": 1},))
    return (*sides, narrow)


SLOWNESS = (
    Row(id="H22", fault="one token per second where a hundred are normal", judge=h22,
        sides=(Side(provider="primary", model="fake-60+tps-1"), BACKUP), lasts_s=14),
    Row(id="H22-alone", fault="the same with nowhere to go: left alone", judge=alone,
        sides=(Side(provider="primary", model="fake-12+tps-1"),), text=written(0, 0, 12),
        lasts_s=15),
    Row(id="H23", fault="keep-alive comments for 30 s", judge=h23, lasts_s=9,
        sides=slow("fake-60+keepalive-30-1", first_event="5s")),
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
    Row(id="H28", fault="the caller's deadline in every phase", judge=h28, story=four_deadlines,
        sides=deadline_sides(), wants=ANYTHING, lasts_s=6, alone=True,
        routes={"headers": (0,), "reasoning": (1,), "answer": (2,), "narrow": (3,)}),
)  # fmt: skip
