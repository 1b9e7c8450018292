"""Rows of our own: what a route may ask for beside the card, and callers whose connection is lost.

X-handoff, X-hedge: opt-in, route by route. X-reattach, X-pods, X-away: a request that has an id
outlives its caller's connection, and with Redis its pod; it is billed once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from headway import AsyncClient, AttemptSummary, Cause, Continuation, Event, Outcome

from sidecar.testing import Ending, Entry, Writing, written
from sidecar.testing.texts import pieces
from tests.faults.bed import HANGS_AFTER_S, Bed
from tests.faults.bounds import in_time, nearly_all
from tests.faults.card import ANYTHING, Call, Check, Row, Seen, Side, required
from tests.faults.cuts import every_route, one_row_each, ways
from tests.faults.published import BACKUP, complete, rescued
from tests.faults.slowness import CLOSED_S
from tests.support.relay import Relay

# X-handoff: what is thought, how much of it is kept, and what an output token costs the second.
THOUGHT, ANSWER = written(0, 20, 20), written(0, 0, 20)
# A token was not bought as output, at 600 nano-USD, and was read as input, at 150.
KEPT_TOKENS, SAVED_NANO_USD_A_TOKEN = 10, 600 - 150
KEPT = "".join(pieces(THOUGHT.reasoning)[:KEPT_TOKENS])
# X-hedge: so many first tokens are fast (fewer teach nothing), so many late, and by how much.
FAST, LATE, LATE_S, SHARE = 20, 20, 5.0, 0.1
MOST_HEDGED = round(SHARE * (FAST + LATE))
# ... and so long after the learned p95 a hedged request begins to speak at the latest.
SPEAKS_S = 0.5
# X-reattach and the others: the requests' ids, and after how many events their callers are lost.
IDS = tuple(f"6f1c9a52-6d0e-4c1f-9b7e-0f8a4be0b00{n}" for n in range(3))
HEARD = 10
# X-pods: from the death of a pod to the next token at the other one: its lease, and two looks.
TAKEN_OVER_S = 15.0
# X-away: how long a stream goes on with nobody there; it is looked at four times in that time.
LINGER_S = 2.0
LOOK_S = LINGER_S / 4


def x_handoff(seen: Seen) -> Iterator[Check]:
    in_reasoning, in_answer = seen.calls
    yield required("cut in reasoning: the caller keeps it", ways(in_reasoning)
                   == [Continuation.FRESH, Continuation.RESUMED], ways(in_reasoning))  # fmt: skip
    yield required("cut in the answer: that begins anew", ways(in_answer)
                   == [Continuation.FRESH, Continuation.RESTARTED], ways(in_answer))  # fmt: skip
    for call, kept in ((in_reasoning, KEPT), (in_answer, THOUGHT.reasoning)):
        told = [attempt.reason for attempt in call.attempts[1:]]
        yield required(f"{call.route}: told as handed on", told == ["STREAM_CUT+HANDOFF"], told)
        lost, healed = seen.of_call(call)
        given = str(healed.body["messages"][-1]["content"]) if healed.body else ""
        yield required(f"{call.route}: the next target has it", kept in given, given[-60:])
        yield required(f"{call.route}: as notes, not as a prefix", healed.prefix is None)
        yield from saved(seen, call, lost.usage.reasoning_tokens)
    yield one_row_each(seen)


def saved(seen: Seen, call: Call, tokens: int) -> Iterator[Check]:
    """What was not bought twice stands in `completed` and in the ledger: written for nothing, and
    read as input."""
    told = call.result.saved if call.result is not None else None
    wanted = (tokens, 0, tokens * SAVED_NANO_USD_A_TOKEN)
    found = (told.reasoning_tokens, told.answer_tokens, told.nano_usd) if told is not None else None
    yield required(f"{call.route}: what it saved is told", found == wanted, found)
    rows = [row for row in seen.ledger if row["route"] == call.route]
    entered = [row["saved_nano_usd"] for row in rows if row["outcome"] == "completed"]
    yield required(f"{call.route}: and entered", entered == [wanted[2]], entered)


async def mostly_fast(bed: Bed) -> None:
    """The primary is fast, and then it is late; those requests come all at once."""
    for _ in range(FAST):
        await bed.call()
    await asyncio.gather(*(bed.call() for _ in range(LATE)))


def x_hedge(seen: Seen) -> Iterator[Check]:
    hedged = [call for call in seen.calls if len(tried(call)) > 1]
    count = len(hedged)
    yield required(f"hedged: the share of the requests, {MOST_HEDGED}", count == MOST_HEDGED, count)
    late = seen.calls[FAST:]
    won = [call for call in late if call in hedged]
    yield required("late ones among them", bool(won), len(won))
    for call in won:
        first, second = tried(call)
        found = (first.outcome, second.cause, second.outcome)
        wanted = (Outcome.CANCELLED_HEDGE, Cause.HEDGE, Outcome.COMPLETED)
        yield required("the second wins", found == wanted, found)
    slowest_s = max(speaks_s(call) for call in seen.calls[:FAST])
    yield nearly_all("it speaks within half a second of the learned p95", slowest_s + SPEAKS_S,
                     [taken(seen, call.began, call.stamps[0][0]) for call in won])  # fmt: skip
    yield from losers(seen, [entry for entry in seen.on(0) if entry.ending is Ending.CLIENT_CLOSED])
    patient = [call for call in late if call not in won]
    early = [call.took_s for call in patient if call.took_s < LATE_S]
    yield required("the others wait", not early and bool(patient), early)


def speaks_s(call: Call) -> float:
    """After how long its caller heard something."""
    return call.stamps[0][0] - call.began


def tried(call: Call) -> Sequence[AttemptSummary]:
    return call.result.attempts if call.result is not None else ()


def losers(seen: Seen, lost: list[Entry]) -> Iterator[Check]:
    """Cancelled as soon as the other speaks, and paid for."""
    rows = [row for row in seen.ledger if row["outcome"] == "cancelled_hedge"]
    yield required("every loser is cancelled", len(lost) == len(rows) > 0, (len(lost), len(rows)))
    spoke = sorted(e.first_token_s for e in seen.on(1) if e.first_token_s is not None)
    ends = [entry.ended_s or 0.0 for entry in lost]
    since = [max((at for at in spoke if at <= end), default=0.0) for end in ends]
    yield nearly_all("the loser is gone within 250 ms", CLOSED_S,
                     [taken(seen, seen.zero + begin, seen.zero + end)
                      for begin, end in zip(since, ends, strict=True)])  # fmt: skip
    unpaid = [row for row in rows if not (row["input_nano_usd"] > 0 and row["estimated"])]
    yield required("every loser is in the ledger, paid by estimate", not unpaid, unpaid[:1])
    yield one_row_each(seen)


def taken(seen: Seen, begin: float, end: float) -> tuple[float, float]:
    """How long it was, and how much of it the machine took."""
    return end - begin, seen.starved_s(begin, end)


def at(places: tuple[int, ...], act: Callable[[], None]) -> Callable[[Event], None]:
    """For a reader: act when it hears of the events in these places of its stream."""
    count = itertools.count(1)

    def told(event: Event) -> None:
        if next(count) in places:
            act()

    return told


async def lost_connections(bed: Bed) -> None:
    """The wire to the daemon is cut twice under a stream. Then others ask for the same request: one
    for all of it, one for what it has not."""
    relayed = Relay(bed.daemon.folder / "relay.sock", bed.daemon.socket)
    async with relayed as relay, AsyncClient(relay.target) as client:
        stream = client.stream("default", "Go on.", request_id=IDS[0], reattach=True)
        call = await bed.read(stream, told=at((HEARD, 3 * HEARD), relay.cut))
    await bed.read(bed.client.stream("default", "Go on.", request_id=IDS[0]))
    last = call.said.last_sequence
    late = bed.client.stream("default", "Go on.", request_id=IDS[0], after_sequence=last - 1)
    bed.notes["tail"] = len([event async for event in late])


def x_reattach(seen: Seen) -> Iterator[Check]:
    for call in seen.calls:
        yield rescued(call)
        yield complete(call)
    yield required("nothing began anew", [len(call.attempts) for call in seen.calls] == [1, 1])
    tail = seen.notes["tail"]
    yield required("whoever has all but the last gets the last", tail == 1, tail)
    yield from one_bill(seen, seen.ledger)


def one_bill(seen: Seen, ledger: Sequence[dict[str, Any]]) -> Iterator[Check]:
    """The provider was asked once, and the one entry is what it charged."""
    yield required("the provider is asked once", len(seen.log) == 1, len(seen.log))
    spent = [row["input_nano_usd"] + row["reasoning_nano_usd"] + row["answer_nano_usd"]
             for row in ledger]  # fmt: skip
    due = [seen.bill.total_nano_usd]
    yield required("one entry, of what it charged", spent == due, f"{spent}, charged {due}")


async def two_pods(bed: Bed) -> None:
    """A stream that runs in one pod is read in another one too; the next one's pod is killed."""
    loop, there = asyncio.get_running_loop(), await bed.another()
    async with there.client() as elsewhere:
        here = asyncio.create_task(bed.read(bed.stream("along", messages="Go on.",
                                                       request_id=IDS[1]), "along"))  # fmt: skip
        await bed.wait_log(lambda log: any(entry.first_token_s for entry in log))
        await bed.read(elsewhere.stream("along", "Go on.", request_id=IDS[1]), "along")
        await here
        lost = asyncio.create_task(
            bed.read(bed.stream("taken", messages="Go on.", request_id=IDS[2]), "lost")
        )
        await bed.wait_log(lambda log: len(log) == 2 and bool(log[1].first_token_s))
        # What the other pod reads along is written down, and not lost with its own one.
        heard = asyncio.Event()
        along = elsewhere.stream("taken", "Go on.", request_id=IDS[2], timeout_s=60.0)
        taken = asyncio.create_task(bed.read(along, "taken", at((HEARD,), heard.set)))
        await heard.wait()
        await bed.daemon.kill()
        bed.notes["killed"] = loop.time()
        await asyncio.gather(lost, taken)
    await there.terminate()
    bed.notes["there"] = there.rows()
    await bed.daemon.start()
    bed.starved.watch(bed.daemon.process.pid)


def x_pods(seen: Seen) -> Iterator[Check]:
    calls = {call.route: call for call in seen.calls}
    for call in (call for call in seen.calls if call.route == "along"):
        yield rescued(call)
        yield complete(call)
        yield required("read along, nothing began anew", len(call.attempts) == 1)
    asked = len(seen.named(f"{seen.row.sides[0].model}#along"))
    yield required("and the provider was asked once", asked == 1, asked)
    mine = [row for row in (*seen.ledger, *seen.notes["there"]) if row["route"] == "along"]
    yield required("one bill, in one ledger", len(mine) == 1, len(mine))
    lost, taken = calls["lost"], calls["taken"]
    yield required("the pod is gone", lost.ending == "DAEMON_UNREACHABLE", lost.ending)
    yield rescued(taken)
    yield complete(taken)
    killed = seen.notes["killed"]
    next_at = min((at for at, event in taken.stamps if event.answer and at > killed + 1.0),
                  default=killed + HANGS_AFTER_S)  # fmt: skip
    yield in_time("taken over within 15 s", TAKEN_OVER_S, seen.starved_s, killed, next_at)
    went_on = [entry.prefix for entry in seen.named(f"{seen.row.sides[0].model}#taken")]
    yield required("by going on, not anew", len(went_on) == 2 and went_on[1] is not None, went_on)


async def caller_away(bed: Bed) -> None:
    """One caller leaves for good. Another leaves and is back before the time is over."""
    loop = asyncio.get_running_loop()
    bed.notes["left"] = await left(bed, "long", IDS[0])
    await bed.wait_log(lambda log: bool(log) and log[0].is_over)
    await bed.read(bed.client.stream("long", "Go on.", request_id=IDS[0]), "long")
    await left(bed, "short", IDS[1])
    gone = loop.time()
    await bed.until(lambda: loop.time() >= gone + LINGER_S / 2)
    await bed.read(bed.client.stream("short", "Go on.", request_id=IDS[1]), "short")


async def left(bed: Bed, route: str, request_id: str) -> float:
    """Read a few events, then be gone; when."""
    stream = bed.client.stream(route, "Go on.", request_id=request_id)
    for _ in range(HEARD):
        await anext(stream)
    stream.close()
    return asyncio.get_running_loop().time()


def x_away(seen: Seen) -> Iterator[Check]:
    late, back = seen.calls
    entry, left_at = seen.log[0], seen.notes["left"]
    ended_at = seen.zero + (entry.ended_s or 0.0)
    went_on_s = ended_at - left_at
    yield required("it goes on for its time", went_on_s >= LINGER_S, f"{went_on_s:.2f} s")
    bound_s = LINGER_S + 2 * LOOK_S + CLOSED_S
    yield in_time("it goes on, and no longer", bound_s, seen.starved_s, left_at, ended_at)
    yield required("then it is cancelled", entry.ending is Ending.CLIENT_CLOSED, entry.ending.value)
    yield required("which is told to whoever is late", late.ending == "NOT_REPLAYABLE", late.ending)
    yield rescued(back)
    yield complete(back)
    yield required("who is back in time finds all of it", len(back.attempts) == 1)
    yield one_row_each(seen)
    paid = [(row["outcome"], row["output_tokens"] > 0) for row in seen.ledger]
    wanted = [("abandoned", True), ("completed", True)]
    yield required("what was said is paid for", sorted(paid) == wanted, paid)
    yield required("the provider is asked once for each", len(seen.log) == 2, len(seen.log))


BEYOND = (
    Row(id="X-handoff", fault="a dead target's reasoning is handed to the next", judge=x_handoff,
        story=every_route, route={"retries": 0, "handoff": True},
        sides=(Side(provider="primary", model="fake-reasoner-20-20+cut-reasoning-10",
                    reasoning=True),
               Side(provider="primary", model="fake-reasoner-20-20+cut-answer-10",
                    reasoning=True),
               Side(provider="backup", model="fake-20")),
        routes={"reasoning": (0, 2), "answer": (1, 2)},
        texts={"reasoning": Writing(KEPT, ANSWER.answer),
               "answer": Writing(THOUGHT.reasoning, ANSWER.answer)}),
    Row(id="X-hedge", fault="the first token is late: a second attempt beside it", judge=x_hedge,
        story=mostly_fast, lasts_s=12,
        route={"retries": 0, "hedge": {"after": "p95", "share": SHARE}},
        sides=(Side(provider="primary", model=f"fake-60+ms-1+first-{LATE_S:g}@{FAST + 1}..",
                    timeouts={"first_event": "30s"}), BACKUP)),
    Row(id="X-reattach", fault="the caller's connection is lost, and it comes back",
        judge=x_reattach, story=lost_connections,
        sides=(Side(provider="primary", model="fake-60"),)),
    Row(id="X-pods", fault="a stream is asked for in another pod; its own pod is killed",
        judge=x_pods, story=two_pods, wants=ANYTHING, within_s=60, lasts_s=25, shared=True,
        sides=(Side(provider="deepseek", model="fake-60+ms-100", resume="prefix"),),
        routes={"along": (0,), "taken": (0,)}),
    Row(id="X-away", fault="the caller of a stream is away, for good or for a while",
        judge=x_away, story=caller_away, wants=ANYTHING, lasts_s=8,
        sections={"server": {"replay_linger": f"{LINGER_S:g}s"}},
        sides=(Side(provider="primary", model="fake-4000"),
               Side(provider="primary", model="fake-60+ms-50")),
        routes={"long": (0,), "short": (1,)}),
)  # fmt: skip
