"""H37 to H41: callers who leave or stop reading, daemons that end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil
from headway import AsyncClient, Event
from headway.v1 import status_pb2

from sidecar.ledger import inbox
from sidecar.testing import Entry, written
from tests.faults.bed import HANGS_AFTER_S, PATIENCE_S, POLL_S, Bed
from tests.faults.bounds import in_time
from tests.faults.card import ANYTHING, SIXTY, Check, Row, Seen, Side, measured, required
from tests.faults.published import complete, rescued
from tests.faults.slowness import closed

PHASES = ("headers", "reasoning", "answer")
# H38: how long a drain may take.
GRACE_S = 4.0
# H39: streams that run when the daemon is killed, and calls that were over before.
RUNNING, OVER, RUNNING_TAG = 50, 5, "#running"
# ... and when their places are to be back in a common store.
BACK_S = 15.0
# H37: another pod that is given a free place waits no longer for its first word.
AT_ONCE_S = 1.0
# H40: how long the provider is made to wait, what may have been taken from it, the daemon's growth.
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
    # The provider takes the request and does nothing more: nobody is told of that.
    await hang_up(bed, "headers", bed.until(lambda: any(_on(e, "headers") for e in bed.log)))
    for route in ("reasoning", "answer"):
        # What the caller has, the daemon has counted.
        word = asyncio.Event()
        await hang_up(bed, route, word.wait(), partial(told, word))
    await hang_up(bed, "backoff", bed.wait_status(_backs_off))
    holder = asyncio.create_task(bed.stream("narrow").read())
    await bed.wait_log(lambda log: any(_on(entry, "narrow") for entry in log))
    await hang_up(bed, "narrow", bed.wait_status(_queued))
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)
    status = await bed.wait_status(lambda status: not any(_busy(status)))
    bed.notes["busy"] = _busy(status)
    bed.notes["benched"] = [key.alias for key in status.keys if key.HasField("not_now")]
    if bed.row.shared:
        bed.notes["elsewhere"] = await taken_elsewhere(bed)


async def taken_elsewhere(bed: Bed) -> tuple[float, float]:
    """Another pod takes the place for which was queued: when it asked, and when it was answered."""
    loop, pod = asyncio.get_running_loop(), await bed.another()
    async with pod.client() as client:
        stream, began = client.stream("narrow", "Go on.", timeout_s=HANGS_AFTER_S), loop.time()
        await anext(stream)
        answered = loop.time()
        stream.close()
    await pod.terminate()
    return began, answered


def told(word: asyncio.Event, event: Event) -> None:
    """The first word of reasoning or answer is here."""
    if event.reasoning or event.answer:
        word.set()


def _on(entry: Entry, route: str) -> bool:
    return entry.model.endswith(f"#{route}")


def _backs_off(status: status_pb2.DaemonStatus) -> bool:
    """Did the daemon read the refusal, and is nothing asked now?"""
    heard = any(b.failures for b in status.breakers if b.id.endswith("#backoff"))
    return heard and not any(_busy(status))


def _queued(status: status_pb2.DaemonStatus) -> bool:
    return any(queue.waiting for queue in status.queues if queue.id == "narrow")


def _busy(status: status_pb2.DaemonStatus) -> list[int]:
    """The places taken, on every target and every key."""
    return [one.in_flight for one in (*status.targets, *status.keys)]


def h37(seen: Seen) -> Iterator[Check]:
    for call in seen.calls:
        yield required(f"{call.route}: cancelled", call.ending == "CANCELLED", call.ending)
    for call in seen.calls:
        if call.route in PHASES:
            at = seen.notes["closed"][call.route]
            entry = next(e for e in seen.log if _on(e, call.route))
            yield from closed(seen, entry, at)
    left = sum(1 for entry in seen.log if _on(entry, "narrow"))
    asked = 2 if seen.row.shared else 1
    yield required("the one in the queue asked nobody", left == asked, left)
    retried = sum(1 for entry in seen.log if _on(entry, "backoff"))
    yield required("the one in its backoff asked no more", retried == 1, retried)
    busy, benched = seen.notes["busy"], seen.notes["benched"]
    yield required("every lease is free again", not any(busy), busy)
    yield required("no key hears of it", not benched, benched)
    rows = [row for row in seen.ledger if row["model"].endswith(("#reasoning", "#answer"))]
    settled = [row["input_tokens"] * row["output_tokens"] for row in rows]
    yield required("tokens are settled", len(rows) == 2 and all(settled), settled)
    if seen.row.shared:
        yield in_time("the place is another pod's at once", AT_ONCE_S, seen.starved_s,
                      *seen.notes["elsewhere"])  # fmt: skip


async def drained(bed: Bed) -> None:
    """SIGTERM: one stream is short enough for the grace, one is not, one comes too late."""
    tasks = [asyncio.create_task(bed.call(route)) for route in ("short", "long")]
    await bed.wait_log(lambda log: sum(1 for e in log if e.first_token_s) == len(tasks))
    bed.daemon.process.send_signal(signal.SIGTERM)
    began = asyncio.get_running_loop().time()
    await bed.wait_status(lambda status: status.state == status_pb2.SERVING_STATE_DRAINING)
    await bed.call("late")
    await asyncio.gather(*tasks)
    await bed.daemon.wait()
    bed.notes["drain"] = began, asyncio.get_running_loop().time()


def h38(seen: Seen) -> Iterator[Check]:
    calls = {call.route: call for call in seen.calls}
    yield rescued(calls["short"])
    yield complete(calls["short"])
    ends = (calls["long"].ending, calls["late"].ending)
    yield required("a long stream is told DRAINING", ends[0] == "DRAINING", ends[0])
    gone = ends[1] in ("DRAINING", "DAEMON_UNREACHABLE")
    yield required("no new calls", gone, ends[1])
    yield in_time("within the grace and a second", GRACE_S + 1.0, seen.starved_s,
                  *seen.notes["drain"])  # fmt: skip
    yield required("every attempt is in the ledger", len(seen.ledger) == 2, len(seen.ledger))
    ways = {tag: [span.about["headway.attempt.outcome"] for span in seen.attempt_spans(tag)]
            for tag in ("#short", "#long")}  # fmt: skip
    wanted = {"#short": ["completed"], "#long": ["abandoned"]}
    yield required("every attempt has its span", ways == wanted, ways)
    codes = sorted(str(span.about["rpc.response.status_code"]) for span in seen.spans
                   if "rpc.response.status_code" in span.about)  # fmt: skip
    yield required("and so has every call", codes == ["OK", "UNAVAILABLE", "UNAVAILABLE"], codes)


async def killed(bed: Bed) -> None:
    """Some calls are over, fifty run; kill -9; another daemon on the same folder."""
    for _ in range(OVER):
        await bed.call("over")
    tasks = [asyncio.create_task(bed.call("running")) for _ in range(RUNNING)]
    ledger = Path(bed.daemon.config["ledger"]["path"])
    await bed.until(lambda: len(spoken(ledger)) == RUNNING)
    if bed.row.shared:
        await killed_beside_another(bed)
    else:
        await bed.daemon.kill()
    await asyncio.gather(*tasks)
    await bed.daemon.start()
    bed.starved.watch(bed.daemon.process.pid)
    await bed.call("over")


async def killed_beside_another(bed: Bed) -> None:
    """One pod has every place that there is, another one waits for all of them. The first dies."""
    pod = await bed.another()
    async with pod.client() as client:
        streams = [client.stream("running", "Go on.", timeout_s=HANGS_AFTER_S)
                   for _ in range(RUNNING)]  # fmt: skip
        begun = [asyncio.create_task(anext(stream)) for stream in streams]
        await pod.wait_status(client, lambda status: _waiting(status) == RUNNING)
        bed.notes["before"] = sum(1 for entry in bed.log if entry.model.endswith(RUNNING_TAG))
        await bed.daemon.kill()
        bed.notes["killed"] = asyncio.get_running_loop().time()
        await asyncio.gather(*begun)
        for stream in streams:
            stream.close()
    await pod.terminate()


def _waiting(status: status_pb2.DaemonStatus) -> int:
    return sum(queue.waiting for queue in status.queues)


def spoken(ledger: Path) -> set[str]:
    """The running requests of which the ledger's inbox knows that they have said something: it is
    told every other second."""
    return {
        framed.entry.request_id
        for number, path in inbox.segments(ledger)
        for framed in inbox.read(number, path)
        if framed.entry.model.endswith(RUNNING_TAG) and framed.entry.usage.output_tokens
    }


def running(ledger: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in ledger if row["model"].endswith(RUNNING_TAG)]


def h39(seen: Seen) -> Iterator[Check]:
    lost = [call for call in seen.calls if call.route == "running"]
    ends = {call.ending for call in lost}
    yield required("nobody takes it for an end", ends == {"DAEMON_UNREACHABLE"}, ends)
    yield rescued(seen.calls[-1])
    over = [row for row in seen.ledger if row["model"].endswith("#over")]
    yield required("no finished entry is lost", len(over) == OVER + 1, len(over))
    cut = running(seen.ledger)
    yield required("the others have one each", len(cut) == RUNNING, len(cut))
    estimated = [row for row in cut if row["estimated"] and row["output_tokens"]]
    yield required("marked estimated", len(estimated) == len(cut), len(estimated))
    if seen.row.shared:
        yield from places_back(seen)


def places_back(seen: Seen) -> Iterator[Check]:
    """The dead pod's places, as the provider sees who has them."""
    killed = seen.notes["killed"]
    times = [seen.zero + entry.received_s for entry in seen.log
             if entry.model.endswith(RUNNING_TAG)]  # fmt: skip
    after = [at for at in times if at > killed]
    before = seen.notes["before"]
    yield required("nobody else had one before", before == RUNNING, before)
    yield required("every place is used again", len(after) == RUNNING, len(after))
    last = max(after, default=killed + HANGS_AFTER_S)
    yield in_time("the places are back within 15 s", BACK_S, seen.starved_s, killed, last)


async def stops_reading(bed: Bed) -> None:
    """Read one event, then nothing for a while, then all the rest."""
    before = bed.daemon.rss_bytes
    async with AsyncClient(bed.daemon.target, options=NARROW) as client:
        stream = client.stream("default", "Tell me all.", timeout_s=HANGS_AFTER_S)
        await anext(aiter(stream))
        await blocked(bed)
        bed.notes["grown"] = bed.daemon.rss_bytes - before
        bed.notes["sent"] = [entry.sent_bytes for entry in bed.provider.log]
        await bed.read(stream)


async def blocked(bed: Bed) -> None:
    """Until the provider could send nothing more for so long."""
    loop = asyncio.get_running_loop()
    sent, since = -1, loop.time()
    async with asyncio.timeout(PATIENCE_S):
        while loop.time() < since + ASLEEP_S:
            now = sum(entry.sent_bytes for entry in bed.log)
            if now != sent:
                sent, since = now, loop.time()
            await asyncio.sleep(POLL_S)


def h40(seen: Seen) -> Iterator[Check]:
    sent = seen.notes["sent"]
    bounded = len(sent) == 1 and sent[0] <= MOST_AHEAD_BYTES
    yield required("reading upstream stops too", bounded, sent)
    grown = seen.notes["grown"]
    yield measured("memory is bounded", grown <= MOST_GROWTH_BYTES, f"{grown / 2**20:.1f} MiB")
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


HANG_UPS = Row(
    id="H37", fault="the caller hangs up in every phase", judge=h37, story=four_hang_ups,
    sides=slow_sides(), wants=ANYTHING, lasts_s=4, alone=True,
    routes={"headers": (0,), "reasoning": (1,), "answer": (2,), "backoff": (3,), "narrow": (4,)},
)  # fmt: skip
KILLED = Row(
    id="H39", fault="kill -9 with 50 streams", judge=h39, story=killed, lasts_s=12, wants=ANYTHING,
    sides=(Side(provider="primary", model="fake-60+ms-2"),
           Side(provider="narrow", model="fake-4000+ms-50", limits=({"concurrency": RUNNING},))),
    routes={"over": (0,), "running": (1,)},
)  # fmt: skip


def in_redis(row: Row, lasts_s: float) -> Row:
    """The same, with limits and places in a store that another pod shares."""
    return msgspec.structs.replace(row, id=f"{row.id}-redis", fault=f"{row.fault}; with Redis",
                                   shared=True, lasts_s=lasts_s)  # fmt: skip


LIFECYCLE = (
    HANG_UPS,
    in_redis(HANG_UPS, 6),
    Row(id="H38", fault="SIGTERM in the middle of streams", judge=h38, story=drained, lasts_s=6,
        alone=True, traced=True,
        sides=(Side(provider="primary", model="fake-60"),
               Side(provider="primary", model="fake-4000")),
        routes={"short": (0,), "long": (1,), "late": (0,)}, wants=ANYTHING,
        sections={"server": {"drain_grace": f"{GRACE_S:g}s"}}),
    KILLED,
    in_redis(KILLED, 28),
    Row(id="H40", fault="the client stops reading", judge=h40, story=stops_reading, text=LONG,
        lasts_s=12, within_s=60,
        sides=(Side(provider="primary", model="fake-100000+ms-0",
                    timeouts={"answer_gap": "1s"}),)),
    Row(id="H41", fault="429 in the middle of the stream, no fallback", judge=h41,
        story=then_idle, wants="STREAM_BROKEN", within_s=40, lasts_s=19,
        sides=(Side(provider="primary", model="fake-60+error-rate-20"),)),
)  # fmt: skip
