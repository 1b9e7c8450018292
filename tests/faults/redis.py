"""H29 in a fleet, H35 and H36: several daemons, one provider, one real Redis that has bad days."""

from __future__ import annotations

import asyncio
import itertools
import math
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from headway import AsyncClient
from headway.v1 import status_pb2

from sidecar.testing import Entry, Quota
from tests.faults.bed import Bed
from tests.faults.bounds import Starved, in_time, late_by, nearly_all, well_used
from tests.faults.card import ANYTHING, Check, Row, Seen, Side, measured, required
from tests.faults.keys import FORGOTTEN_S, THREE
from tests.limits.servers import Server
from tests.support.machine import Starvation

PODS, CALLERS = 3, 10
# The account's limit as configured; the provider's own burst forgives what travels late.
RATE, BURST, FORGIVEN = 30, 10, 8
# Requests travel, and a machine under load lets them: as many more may arrive in one window as were
# due in this time, or in what the processes waited for a CPU in any second, if that is more.
JITTER_S, JITTER_WINDOW_S = 0.05, 1.0
# H35: for how long Redis is gone, and what a pod may need to find its share. Then for how long it
# takes no writes. H36: by how much its state is rolled back. Seconds.
OUTAGE_S, SETTLE_S, PAUSED_S, ROLLBACK_S = 60.0, 2.5, 1.0, 5.0
# Between two troubles as many requests are served as the limit lets through in this time.
CALM_S = 1.0
# A pod learns every 5 s how many there are: an outage before that finds it with an older number.
BEFORE_S = 6.0
WELL_USED, BACK_S, MOST_GROWTH_BYTES = 0.90, 1.0, 24 * 1024 * 1024
# H35: what the trouble may add to a request that no limit holds up, p99; how often one is sent.
ADDED_S, PROBE_EVERY_S = 0.060, 0.05
PROBED = "#probed"
STREAMS = 12


class Fleet:
    """Daemons on one Redis, as the row's own daemon but for the store, and their clients."""

    def __init__(self, bed: Bed, server: Server, folder: Path) -> None:
        self.bed, self.server = bed, server
        self.daemons = [
            bed.pod(folder / f"pod{number}", store=server.url) for number in range(PODS)
        ]
        self.clients: list[AsyncClient] = []
        self.errors: list[str] = []
        self.done = 0
        # Of each request that no limit holds up: when it was sent, and when its answer began.
        self.probes: list[tuple[float, float]] = []

    async def call(self, pod: int, route: str = "default") -> float:
        """One request through one pod, read to its end; when its answer began."""
        loop, first = asyncio.get_running_loop(), 0.0
        try:
            async for event in self.clients[pod].stream(route, "Explain.", timeout_s=60.0):
                first = first or (loop.time() if event.answer else 0.0)
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        self.done += 1
        return first

    async def probe(self, until: asyncio.Event) -> None:
        """One pod after the other: a request that no limit holds up."""
        loop = asyncio.get_running_loop()
        for number in itertools.count():
            began = loop.time()
            self.probes.append((began, await self.call(number % PODS, PROBED[1:])))
            with suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), PROBE_EVERY_S)
            if until.is_set():
                return

    async def served(self, seconds: float) -> None:
        """Until as many more requests have come as the limit lets through in so many seconds."""
        wanted = len(limited(self.bed.log)) + math.ceil(RATE * seconds)
        await self.bed.wait_log(lambda log: len(limited(log)) >= wanted)

    async def load(self, until: asyncio.Event) -> None:
        """Callers of every pod that ask again and again."""

        async def caller(pod: int) -> None:
            while not until.is_set():
                await self.call(pod)

        await asyncio.gather(*(caller(pod) for pod in range(PODS) for _ in range(CALLERS)))

    def starvation(self) -> Starvation:
        """What the machine takes from the pods and from us."""
        return Starvation(*(daemon.process.pid for daemon in self.daemons))

    async def wait_store(self, mode: int) -> None:
        """Until every pod says that its store is in `mode`."""
        for daemon, client in zip(self.daemons, self.clients, strict=True):
            await daemon.wait_status(client, lambda status: status.store.mode == mode)


@asynccontextmanager
async def fleet(bed: Bed) -> AsyncIterator[Fleet]:
    folder = Path(tempfile.mkdtemp(prefix="hwf"))
    server = await asyncio.to_thread(Server, folder)
    one = Fleet(bed, server, folder)
    try:
        await asyncio.gather(*(daemon.start() for daemon in one.daemons))
        one.clients = [daemon.client() for daemon in one.daemons]
        yield one
        for client in one.clients:
            await client.close()
        await asyncio.gather(*(daemon.terminate() for daemon in one.daemons))
        bed.notes["rows"] = sum(len(daemon.rows()) for daemon in one.daemons)
        bed.notes["errors"], bed.notes["done"] = one.errors, one.done
    finally:
        for daemon in one.daemons:
            await daemon.close()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def revoked_in_the_fleet(bed: Bed) -> None:
    """Streams through all pods; one of three keys is revoked, one pod finds out."""
    async with fleet(bed) as pods:

        async def round_of_calls() -> None:
            await asyncio.gather(*(pods.call(number % PODS) for number in range(STREAMS)))

        await round_of_calls()
        async with pods.starvation() as starved:
            bed.provider.provider.revoke(THREE[0])
            while not any(entry.status == 401 for entry in bed.log):
                await pods.call(0)
            await asyncio.sleep(FORGOTTEN_S)
            for _ in range(3):
                await round_of_calls()
            bed.notes["starved"] = starved.waited_s


def h29(seen: Seen) -> Iterator[Check]:
    # From when the refusal was written: before, nobody could have read it.
    refused = [entry.ended_s or entry.received_s for entry in seen.log if entry.status == 401]
    yield required("the revoked key was refused", bool(refused), len(refused))
    told = min(refused, default=0.0)
    uses = [entry.received_s for entry in seen.log if entry.key == THREE[0]]
    starved_s: Starved = seen.notes["starved"]
    late = [at for at in uses
            if at - told - starved_s(seen.zero + told, seen.zero + at) > FORGOTTEN_S]  # fmt: skip
    yield required("no use of it in the fleet 100 ms later", not late, late)
    yield from nobody_noticed(seen)


def nobody_noticed(seen: Seen) -> Iterator[Check]:
    """No caller saw an error, and every attempt is in a ledger."""
    errors = seen.notes["errors"]
    yield required("no call fails for it", not errors, errors[:2])
    rows, log = seen.notes["rows"], len(seen.log)
    yield required("no ledger row is lost", rows == log, f"{rows} of {log}")


Trouble = Callable[[Fleet], Awaitable[None]]


def under_load(trouble: Trouble) -> Callable[[Bed], Awaitable[None]]:
    """A story: more load than the limit allows, `trouble` in its midst."""

    async def story(bed: Bed) -> None:
        async with fleet(bed) as pods:
            over = asyncio.Event()
            callers = [asyncio.create_task(pods.load(over))]
            if "probed" in bed.row.routes:
                callers.append(asyncio.create_task(pods.probe(over)))
            async with pods.starvation() as starved:
                await asyncio.sleep(BEFORE_S)
                await trouble(pods)
                await pods.served(CALM_S)
                over.set()
                await asyncio.gather(*callers)
            bed.notes["probes"] = pods.probes
            bed.notes["jitter"] = max(JITTER_S, starved.worst_s(JITTER_WINDOW_S))
            bed.notes["starved"] = starved.waited_s

    return story


async def gone(pods: Fleet) -> None:
    """Redis is killed and comes back empty after a minute, then it takes no writes for a second."""
    loop, notes = asyncio.get_running_loop(), pods.bed.notes
    before = [daemon.rss_bytes for daemon in pods.daemons]
    await asyncio.to_thread(pods.server.stop)
    notes["gone"] = loop.time()
    notes["changes"] = [notes["gone"]]
    await asyncio.sleep(OUTAGE_S)
    notes["growth"] = max(
        daemon.rss_bytes - then for daemon, then in zip(pods.daemons, before, strict=True)
    )
    notes["back"] = loop.time()
    await asyncio.to_thread(pods.server.start)
    began = loop.time()
    await pods.wait_store(status_pb2.STORE_MODE_REDIS)
    notes["exact"] = began, loop.time()
    await pods.served(CALM_S)
    with pods.server.client() as client:
        client.execute_command("CLIENT", "PAUSE", round(PAUSED_S * 1000), "WRITE")
    notes["changes"] += [notes["back"], loop.time(), loop.time() + PAUSED_S]
    await asyncio.sleep(PAUSED_S)


async def losing_state(pods: Fleet) -> None:
    """Everything that makes a Redis forget, one after the other."""
    with pods.server.client() as client:
        client.flushall()
        await pods.served(2 * CALM_S)
        client.script_flush()
        await pods.served(CALM_S)
        before: dict[bytes, Any] = {name: client.dump(name) for name in client.keys("*")}
        await asyncio.sleep(ROLLBACK_S)
        for name, dumped in before.items():
            # A name that ran out between the two is not there to be dumped.
            if dumped is not None:
                client.restore(name, 0, dumped, replace=True)
        await pods.served(CALM_S)
    await asyncio.to_thread(pods.server.stop)
    await asyncio.to_thread(pods.server.start)
    await pods.served(CALM_S)


def limited(log: Sequence[Entry]) -> list[Entry]:
    """The requests of the load, whose limit is looked at."""
    return [entry for entry in log if not entry.model.endswith(PROBED)]


def excess(log: Sequence[Entry]) -> int:
    """How many more than burst + rate x window arrived in the worst window of all."""
    worst, level, last = 0.0, 0.0, 0.0
    for at in sorted(entry.received_s for entry in limited(log)):
        level = max(level - RATE * (at - last), 0.0) + 1.0
        worst, last = max(worst, level), at
    return max(math.ceil(worst - BURST), 0)


def held(seen: Seen, more: int) -> Iterator[Check]:
    """At most `more` too many, as far as a provider sees: `tests/limits` judges what was granted,
    to the request."""
    late = math.ceil(RATE * seen.notes["jitter"])
    over = excess(seen.log)
    yield measured(f"at most {more} over, but for the {late} that were due in the machine's jitter",
                   over <= more + late, over)  # fmt: skip
    refused = sum(1 for entry in seen.log if entry.status == 429)
    yield required("the provider refuses nothing, but for these",
                   refused <= max(late - FORGIVEN, 0), refused)  # fmt: skip


def h35(seen: Seen) -> Iterator[Check]:
    yield from nobody_noticed(seen)
    yield from held(seen, 0)
    begin = seen.notes["gone"] - seen.zero + SETTLE_S
    end = seen.notes["back"] - seen.zero
    starved_s: Starved = seen.notes["starved"]
    came = sum(1 for e in limited(seen.log) if begin <= e.received_s < end)
    yield well_used("at least 90 % used while it is away", WELL_USED, came, RATE, end - begin,
                    starved_s(seen.zero + begin, seen.zero + end))  # fmt: skip
    yield in_time("exact again within a second", BACK_S, starved_s, *seen.notes["exact"])
    growth = seen.notes["growth"]
    yield measured("memory is bounded", growth <= MOST_GROWTH_BYTES, f"{growth / 2**20:.1f} MiB")
    yield from hardly_later(seen)


def hardly_later(seen: Seen) -> Iterator[Check]:
    """What the daemons added to requests that no limit held up: on the way to the provider, and on
    the way back. A pod alone begins with an empty share, for the others may have used the rest:
    what is asked of it in that moment waits."""
    starved_s: Starved = seen.notes["starved"]
    probes, asked = seen.notes["probes"], seen.named(f"{LIMITED.model}{PROBED}")
    yield required("each was asked once", len(asked) == len(probes), (len(asked), len(probes)))
    settled, changing = [], []
    for (began, first), entry in zip(probes, asked, strict=False):
        added = (first - began - its_own_s(entry), starved_s(began, first))
        at_change = any(at <= first and began <= at + SETTLE_S for at in seen.notes["changes"])
        if first > seen.notes["changes"][0]:
            (changing if at_change else settled).append(added)
    enough = len(settled) >= OUTAGE_S / PROBE_EVERY_S / 4
    yield required("often enough for a p99", enough, len(settled))
    yield nearly_all("added latency at most 60 ms, p99", ADDED_S, settled)
    yield late_by("the moment Redis goes, comes or stops: at most 2.5 s", SETTLE_S,
                  *max(changing, default=(0.0, 0.0)))  # fmt: skip


def its_own_s(entry: Entry) -> float:
    """What the provider took for its first token."""
    return (entry.first_token_s or entry.received_s) - entry.received_s


def h36(seen: Seen) -> Iterator[Check]:
    yield from nobody_noticed(seen)
    yield from held(seen, 1)


LIMITED = Side(provider="primary", model="fake-2",
               limits=({"requests": RATE, "per": "1s", "burst": BURST},))  # fmt: skip
# Its limit is the store's too, and wide enough for a pod's part of it.
UNHINDERED = Side(provider="wide", model=LIMITED.model,
                  limits=({"requests": 100 * RATE, "per": "1s", "burst": 100 * RATE},))  # fmt: skip
QUOTA = Quota("rate", "bucket", RATE, per_s=1.0, burst=BURST + FORGIVEN, models=(LIMITED.model,))

REDIS = (
    Row(id="H29-fleet", fault="one of three keys is revoked; three pods, one Redis", judge=h29,
        story=revoked_in_the_fleet, wants=ANYTHING, lasts_s=9, alone=True,
        sides=(Side(provider="primary", model="fake-2", keys=THREE),)),
    Row(id="H35", fault=f"Redis gone for {OUTAGE_S:g} s under load, then slow", judge=h35,
        story=under_load(gone), wants=ANYTHING, alone=True, sides=(LIMITED, UNHINDERED),
        routes={"default": (0,), PROBED[1:]: (1,)}, quotas=(QUOTA,), lasts_s=OUTAGE_S + 10),
    Row(id="H36", fault="Redis loses its state: FLUSHALL, SCRIPT FLUSH, rollback, restart",
        judge=h36, story=under_load(losing_state), wants=ANYTHING, alone=True, sides=(LIMITED,),
        quotas=(QUOTA,), lasts_s=20),
)  # fmt: skip
