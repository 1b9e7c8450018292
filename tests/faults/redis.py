"""H29 in a fleet, H35 and H36: several daemons, one provider, one real Redis that has bad days.

The outage is scaled from 60 s to a few, so that the card stays short; `--full` plays it at length.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from headway import AsyncClient
from headway.v1 import status_pb2

from sidecar.testing import Entry, Quota
from tests.faults.bed import Bed
from tests.faults.card import ANYTHING, Check, Row, Seen, Side, required
from tests.faults.keys import FORGOTTEN_S, MOMENT_S, THREE
from tests.limits.servers import Server
from tests.support.daemon import Daemon
from tests.support.machine import Starvation

PODS, CALLERS = 3, 10
# The account's limit as configured; the provider's own burst forgives what travels late.
RATE, BURST, FORGIVEN = 30, 10, 8
# Requests travel, and a machine under load lets them: as many more may arrive in one window as were
# due in this time, or in what the processes waited for a CPU in any second, if that is more.
JITTER_S, JITTER_WINDOW_S = 0.15, 1.0
# The rows' own scale of the published 60 s, and what a pod may need to find its share, seconds.
OUTAGE_S, SETTLE_S, AFTER_S = 5.0, 2.5, 1.0
# A pod learns every 5 s how many there are: an outage before that finds it with an older number.
BEFORE_S = 6.0
FULL_OUTAGE_S = 60.0
WELL_USED, BACK_S, MOST_GROWTH_BYTES = 0.90, 1.0, 24 * 1024 * 1024
STREAMS = 12


class Fleet:
    """Daemons on one Redis, as the row's own daemon but for the store, and their clients."""

    def __init__(self, bed: Bed, server: Server, folder: Path) -> None:
        self.bed, self.server = bed, server
        self.daemons = [self._daemon(folder / f"pod{number}") for number in range(PODS)]
        self.clients: list[AsyncClient] = []
        self.errors: list[str] = []
        self.done = 0

    def _daemon(self, folder: Path) -> Daemon:
        folder.mkdir()
        config = {
            **self.bed.daemon.config,
            "listen": [f"unix://{folder / 'headway.sock'}"],
            "ledger": {"path": str(folder / "ledger.db")},
            "store": self.server.url,
        }
        return Daemon(folder, config, **self.bed.daemon._variables)

    async def call(self, pod: int) -> None:
        """One request through one pod, read to its end."""
        try:
            async for _ in self.clients[pod].stream("default", "Explain.", timeout_s=60.0):
                pass
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        self.done += 1

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
    server = Server(folder)
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
    starved_s: Waited = seen.notes["starved"]
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
# Of a span of the loop's time: how long the machine kept the processes from running.
Waited = Callable[[float, float], float]


def under_load(trouble: Trouble) -> Callable[[Bed], Awaitable[None]]:
    """A story: more load than the limit allows, `trouble` in its midst."""

    async def story(bed: Bed) -> None:
        async with fleet(bed) as pods:
            over = asyncio.Event()
            callers = asyncio.create_task(pods.load(over))
            async with pods.starvation() as starved:
                await asyncio.sleep(BEFORE_S)
                await trouble(pods)
                await asyncio.sleep(AFTER_S)
            over.set()
            await callers
            bed.notes["jitter"] = max(JITTER_S, starved.worst_s(JITTER_WINDOW_S))
            bed.notes["starved"] = starved.waited_s

    return story


def gone(outage_s: float) -> Trouble:
    """Redis is killed for that long and comes back empty, then it takes no writes for a second."""

    async def trouble(pods: Fleet) -> None:
        loop, notes = asyncio.get_running_loop(), pods.bed.notes
        before = [daemon.rss_bytes for daemon in pods.daemons]
        await asyncio.to_thread(pods.server.stop)
        notes["gone"] = loop.time()
        await asyncio.sleep(outage_s)
        notes["growth"] = max(
            daemon.rss_bytes - then for daemon, then in zip(pods.daemons, before, strict=True)
        )
        notes["back"] = loop.time()
        await asyncio.to_thread(pods.server.start)
        began = loop.time()
        await pods.wait_store(status_pb2.STORE_MODE_REDIS)
        notes["exact"] = began, loop.time()
        await asyncio.sleep(1.0)
        with pods.server.client() as client:
            client.execute_command("CLIENT", "PAUSE", 1000, "WRITE")
        await asyncio.sleep(2.0)

    return trouble


async def losing_state(pods: Fleet) -> None:
    """Everything that makes a Redis forget, one after the other."""
    with pods.server.client() as client:
        client.flushall()
        await asyncio.sleep(2.0)
        client.script_flush()
        await asyncio.sleep(1.0)
        before: dict[bytes, Any] = {name: client.dump(name) for name in client.keys("*")}
        await asyncio.sleep(2.0)
        for name, dumped in before.items():
            # A name that ran out between the two is not there to be dumped.
            if dumped is not None:
                client.restore(name, 0, dumped, replace=True)
        await asyncio.sleep(1.0)
    await asyncio.to_thread(pods.server.stop)
    await asyncio.to_thread(pods.server.start)
    await asyncio.sleep(2.0)


def excess(log: tuple[Entry, ...]) -> int:
    """How many more than burst + rate x window arrived in the worst window of all."""
    worst, level, last = 0.0, 0.0, 0.0
    for at in sorted(entry.received_s for entry in log):
        level = max(level - RATE * (at - last), 0.0) + 1.0
        worst, last = max(worst, level), at
    return max(math.ceil(worst - BURST), 0)


def held(seen: Seen, more: int) -> Iterator[Check]:
    """At most `more` too many, as far as a provider sees: `tests/limits` judges what was granted,
    to the request."""
    late = math.ceil(RATE * seen.notes["jitter"])
    over = excess(seen.log)
    yield required(f"at most {more} over, but for the {late} that were due in the machine's jitter",
                   over <= more + late, over)  # fmt: skip
    refused = sum(1 for entry in seen.log if entry.status == 429)
    yield required("the provider refuses nothing, but for these",
                   refused <= max(late - FORGIVEN, 0), refused)  # fmt: skip


def h35(seen: Seen) -> Iterator[Check]:
    yield from nobody_noticed(seen)
    yield from held(seen, 0)
    begin = seen.notes["gone"] - seen.zero + SETTLE_S
    end = seen.notes["back"] - seen.zero
    starved_s: Waited = seen.notes["starved"]
    ran_s = end - begin - starved_s(seen.zero + begin, seen.zero + end)
    came = sum(1 for e in seen.log if begin <= e.received_s < end)
    used = came / (RATE * max(ran_s, MOMENT_S))
    yield required("at least 90 % used while it is away", used >= WELL_USED, f"{used:.0%}")
    back, exact = seen.notes["exact"]
    exact_s = exact - back - starved_s(back, exact)
    yield required("exact again within a second", exact_s <= BACK_S, f"{exact_s:.2f} s")
    growth = seen.notes["growth"]
    yield required("memory is bounded", growth <= MOST_GROWTH_BYTES, f"{growth / 2**20:.1f} MiB")


def h36(seen: Seen) -> Iterator[Check]:
    yield from nobody_noticed(seen)
    yield from held(seen, 1)


LIMITED = Side(provider="primary", model="fake-2",
               limits=({"requests": RATE, "per": "1s", "burst": BURST},))  # fmt: skip
QUOTA = Quota("rate", "bucket", RATE, per_s=1.0, burst=BURST + FORGIVEN)


def away(name: str, outage_s: float) -> Row:
    return Row(id=name, fault=f"Redis gone for {outage_s:g} s under load, then slow", judge=h35,
               story=under_load(gone(outage_s)), wants=ANYTHING, alone=True, sides=(LIMITED,),
               quotas=(QUOTA,), lasts_s=outage_s + 10)  # fmt: skip


REDIS = (
    Row(id="H29-fleet", fault="one of three keys is revoked; three pods, one Redis", judge=h29,
        story=revoked_in_the_fleet, wants=ANYTHING, lasts_s=9, alone=True,
        sides=(Side(provider="primary", model="fake-2", keys=THREE),)),
    away("H35", OUTAGE_S),
    Row(id="H36", fault="Redis loses its state: FLUSHALL, SCRIPT FLUSH, rollback, restart",
        judge=h36, story=under_load(losing_state), wants=ANYTHING, alone=True, sides=(LIMITED,),
        quotas=(QUOTA,), lasts_s=15),
)  # fmt: skip
FULL = (away("H35-60s", FULL_OUTAGE_S),)
