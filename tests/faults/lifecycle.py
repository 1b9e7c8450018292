"""H37 to H41: callers who leave or stop reading, daemons that end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import psutil
from headway import AsyncClient, Event

from sidecar.testing import Entry, written
from tests.faults.bed import HANGS_AFTER_S, Bed
from tests.faults.card import ANYTHING, SIXTY, Check, Row, Seen, Side, required
from tests.faults.published import complete, rescued
from tests.faults.slowness import closed
from tests.support.machine import Starvation

PHASES = ("headers", "reasoning", "answer")
# H38: how long a drain may take.
GRACE_S = 4.0
# H39: streams that run when the daemon is killed, and calls that were over before.
RUNNING, OVER = 50, 5
# What runs is told to the ledger every other second: by then it has said something.
TOLD_AGAIN_S = 3.0
# H40: how long nobody reads, what may have been taken from the provider, and the daemon's growth.
ASLEEP_S, MOST_AHEAD_BYTES, MOST_GROWTH_BYTES = 3.0, 12 * 2**20, 32 * 2**20
LONG = written(0, 0, 100_000)
# A small window, or gRPC itself takes the whole text for a reader who does not read.
NARROW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536))
# H41: seconds over which the daemon's CPU is looked at, and the share that is idle enough.
WATCHED_S, IDLE = 2.0, 0.10


async def hang_up(
    bed: Bed,
    route: str,
    when: Awaitable[object],
    heard: Callable[[Event], None] = lambda event: None,
) -> None:
    """Begin a call of which each event is `heard`, and close it after `when`."""
    stream = bed.stream(route)
    call = asyncio.create_task(bed.read(stream, route, heard))
    # The call goes out before anything is looked at.
    await asyncio.sleep(0)
    await when
    bed.notes.setdefault("closed", {})[route] = asyncio.get_running_loop().time()
    stream.close()
    await call


async def four_hang_ups(bed: Bed) -> None:
    """In each phase, and in a backoff; then in the queue behind the stream that has the place."""
    log = bed.provider

    async def there(route: str) -> None:
        await log.wait_until(lambda: any(_there(e, route) for e in log.log))
        await asyncio.sleep(0.1)

    async with Starvation(bed.daemon.process.pid) as starved:
        # The provider tells of nothing before its headers, and the queue is not its business.
        await hang_up(bed, "headers", asyncio.sleep(0.4))
        for route in ("reasoning", "answer"):
            # What the caller has, the daemon has counted.
            word = asyncio.Event()
            await hang_up(bed, route, word.wait(), partial(told, word))
        await hang_up(bed, "backoff", there("backoff"))
        holder = asyncio.create_task(bed.stream("narrow").read())
        await there("narrow")
        await hang_up(bed, "narrow", asyncio.sleep(0.3))
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)
        await log.wait_until(lambda: not log.provider.journal.running)
    bed.notes["starved"] = {
        call.route: starved.waited_s(bed.notes["closed"][call.route], call.ended + 0.25)
        for call in bed.calls
    }
    bed.notes["status"] = await bed.client.status()


def told(word: asyncio.Event, event: Event) -> None:
    """The first word of reasoning or answer is here."""
    if event.reasoning or event.answer:
        word.set()


def _there(entry: Entry, route: str) -> bool:
    """Does the attempt on `route` speak? A refusal is over at once."""
    begun = entry.status == 503 or entry.first_token_s is not None
    return entry.model.endswith(f"#{route}") and begun


def h37(seen: Seen) -> Iterator[Check]:
    for call in seen.calls:
        yield required(f"{call.route}: cancelled", call.ending == "CANCELLED", call.ending)
    for call in seen.calls:
        if call.route in PHASES:
            at = seen.notes["closed"][call.route]
            entry = next(e for e in seen.log if e.model.endswith(f"#{call.route}"))
            yield from closed(seen, entry, at, seen.notes["starved"][call.route])
    left = sum(1 for entry in seen.log if entry.model.endswith("#narrow"))
    yield required("the one in the queue asked nobody", left == 1, left)
    retried = sum(1 for entry in seen.log if entry.model.endswith("#backoff"))
    yield required("the one in its backoff asked no more", retried == 1, retried)
    status = seen.notes["status"]
    busy = [target.in_flight for target in status.targets] + [k.in_flight for k in status.keys]
    yield required("every lease is free again", not any(busy), busy)
    benched = [key.alias for key in status.keys if key.HasField("not_now")]
    yield required("no key hears of it", not benched, benched)
    rows = [row for row in seen.ledger if row["model"].endswith(("#reasoning", "#answer"))]
    settled = [row["input_tokens"] * row["output_tokens"] for row in rows]
    yield required("tokens are settled", len(rows) == 2 and all(settled), settled)


async def drained(bed: Bed) -> None:
    """SIGTERM: one stream is short enough for the grace, one is not, one comes too late."""
    log = bed.provider
    tasks = [asyncio.create_task(bed.call(route)) for route in ("short", "long")]
    await log.wait_until(lambda: sum(1 for e in log.log if e.first_token_s) == len(tasks))
    bed.daemon.process.send_signal(signal.SIGTERM)
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(0.3)
    await bed.call("late")
    await asyncio.gather(*tasks)
    await bed.daemon.wait()
    bed.notes["took_s"] = asyncio.get_running_loop().time() - began


def h38(seen: Seen) -> Iterator[Check]:
    calls = {call.route: call for call in seen.calls}
    yield rescued(calls["short"])
    yield complete(calls["short"])
    ends = (calls["long"].ending, calls["late"].ending)
    yield required("a long stream is told DRAINING", ends[0] == "DRAINING", ends[0])
    gone = ends[1] in ("DRAINING", "DAEMON_UNREACHABLE")
    yield required("no new calls", gone, ends[1])
    took = seen.notes["took_s"]
    yield required("within the grace and a second", took <= GRACE_S + 1.0, f"{took:.2f} s")
    yield required("every attempt is in the ledger", len(seen.ledger) == 2, len(seen.ledger))


async def killed(bed: Bed) -> None:
    """Some calls are over, fifty run; kill -9; another daemon on the same folder."""
    for _ in range(OVER):
        await bed.call("over")
    log = bed.provider
    tasks = [asyncio.create_task(bed.call("running")) for _ in range(RUNNING)]
    await log.wait_until(lambda: sum(1 for e in log.log if "#running" in e.model
                                     and e.first_token_s) == RUNNING)  # fmt: skip
    await asyncio.sleep(TOLD_AGAIN_S)
    await bed.daemon.kill()
    await asyncio.gather(*tasks)
    await bed.daemon.start()
    await bed.call("over")


def h39(seen: Seen) -> Iterator[Check]:
    lost = [call for call in seen.calls if call.route == "running"]
    ends = {call.ending for call in lost}
    yield required("nobody takes it for an end", ends == {"DAEMON_UNREACHABLE"}, ends)
    yield rescued(seen.calls[-1])
    over = [row for row in seen.ledger if row["model"].endswith("#over")]
    yield required("no finished entry is lost", len(over) == OVER + 1, len(over))
    running = [row for row in seen.ledger if row["model"].endswith("#running")]
    yield required("the others have one each", len(running) == RUNNING, len(running))
    estimated = [row for row in running if row["estimated"] and row["output_tokens"]]
    yield required("marked estimated", len(estimated) == len(running), len(estimated))


async def stops_reading(bed: Bed) -> None:
    """Read one event, then nothing for a while, then all the rest."""
    before = bed.daemon.rss_bytes
    async with AsyncClient(bed.daemon.target, options=NARROW) as client:
        stream = client.stream("default", "Tell me all.", timeout_s=HANGS_AFTER_S)
        await anext(aiter(stream))
        await asyncio.sleep(ASLEEP_S)
        bed.notes["grown"] = bed.daemon.rss_bytes - before
        bed.notes["sent"] = [entry.sent_bytes for entry in bed.provider.log]
        await bed.read(stream)


def h40(seen: Seen) -> Iterator[Check]:
    sent = seen.notes["sent"]
    bounded = len(sent) == 1 and sent[0] <= MOST_AHEAD_BYTES
    yield required("reading upstream stops too", bounded, sent)
    grown = seen.notes["grown"]
    yield required("memory is bounded", grown <= MOST_GROWTH_BYTES, f"{grown / 2**20:.1f} MiB")
    entry = seen.log[0]
    yield required("the provider was made to wait", entry.blocked_s > ASLEEP_S / 2,
                   f"{entry.blocked_s:.1f} s")  # fmt: skip
    yield required("nobody upstream is blamed", len(seen.log) == 1, len(seen.log))


async def then_idle(bed: Bed) -> None:
    await bed.call()
    process = psutil.Process(bed.daemon.process.pid)
    before = sum(process.cpu_times()[:2])
    await asyncio.sleep(WATCHED_S)
    bed.notes["cpu"] = (sum(process.cpu_times()[:2]) - before) / WATCHED_S


def h41(seen: Seen) -> Iterator[Check]:
    yield required("no loop", len(seen.log) <= 5, len(seen.log))
    cpu = seen.notes["cpu"]
    yield required("idle afterwards", cpu <= IDLE, f"{cpu:.0%} of a core")
    error = seen.call.error
    yield required("the partial text is the true text", error is not None
                   and SIXTY.answer.startswith(error.result.answer))  # fmt: skip


def slow_sides() -> tuple[Side, ...]:
    models = ("fake-60+headers-20", "fake-reasoner-400-10", "fake-400", "fake-60+http-503-5")
    sides = tuple(Side(provider="primary", model=m, reasoning=True) for m in models)
    narrow = Side(provider="narrow", model="fake-400", limits=({"concurrency": 1},))
    return (*sides, narrow)


LIFECYCLE = (
    Row(id="H37", fault="the caller hangs up in every phase", judge=h37, story=four_hang_ups,
        sides=slow_sides(), wants=ANYTHING, lasts_s=4, alone=True,
        routes={"headers": (0,), "reasoning": (1,), "answer": (2,), "backoff": (3,),
                "narrow": (4,)}),
    Row(id="H38", fault="SIGTERM in the middle of streams", judge=h38, story=drained, lasts_s=6,
        alone=True,
        sides=(Side(provider="primary", model="fake-60"),
               Side(provider="primary", model="fake-4000")),
        routes={"short": (0,), "long": (1,), "late": (0,)}, wants=ANYTHING,
        sections={"server": {"drain_grace": f"{GRACE_S:g}s"}}),
    Row(id="H39", fault="kill -9 with 50 streams", judge=h39, story=killed, lasts_s=12,
        sides=(Side(provider="primary", model="fake-60+ms-2"),
               Side(provider="primary", model="fake-4000+ms-50")),
        routes={"over": (0,), "running": (1,)}, wants=ANYTHING),
    Row(id="H40", fault="the client stops reading", judge=h40, story=stops_reading, text=LONG,
        lasts_s=12, within_s=60,
        sides=(Side(provider="primary", model="fake-100000+ms-0",
                    timeouts={"answer_gap": "1s"}),)),
    Row(id="H41", fault="429 in the middle of the stream, no fallback", judge=h41,
        story=then_idle, wants="STREAM_BROKEN", within_s=40, lasts_s=19,
        sides=(Side(provider="primary", model="fake-60+error-rate-20"),)),
)  # fmt: skip
