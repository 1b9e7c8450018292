"""Processes that are killed: python -m bench.limits_kill

One process that holds 50 seats on a real Redis and renews them dies by SIGKILL: when they are back.
A thousand pods that die with a seat, a slot and a settlement in their hands (in virtual time, on
the same server): what is left of them. Acceptance: limits reference 5.3, figure 10.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections.abc import Iterable

from bench.limits_fleet import Bench
from bench.limits_table import Figure, show
from sidecar.core.clock import LoopClock
from sidecar.limits.bucket import Bucket, Cost, Dimension
from sidecar.limits.common import CommonStore
from sidecar.limits.pool import Settings
from sidecar.limits.redis import connect
from sidecar.limits.store import Candidate, Granted
from sidecar.testing.virtual import VirtualLoop
from tests.limits.fleet import Network, in_virtual_time
from tests.limits.test_kill import kill_everything, left_in

COMMAND = "python -m bench.limits_kill"
LEASE_S = 15.0
SEATS = Bucket("p/a/*/seats", "p", Dimension.CONCURRENCY, 50)
RATE = Bucket("p/a/*/requests", "p", Dimension.REQUESTS, 600_000, 60.0, 10_000)
KILLS = 1000


async def hold(url: str) -> None:
    """Take every seat, say so, and renew for ever."""
    clock = LoopClock(asyncio.get_running_loop())
    store = connect(url, clock, "victim", random.Random(1))
    held = []
    while isinstance(answer := await store.take([Candidate("k", (SEATS,))], Cost()), Granted):
        held.append(answer.reservation)
    print(len(held), flush=True)
    while True:
        await asyncio.sleep(LEASE_S / 3)
        for reservation in held:
            store.renew(reservation)


async def killed(url: str) -> tuple[int, float]:
    """How many seats the victim held, and how long after its death all were had again."""
    clock = LoopClock(asyncio.get_running_loop())
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.limits_kill", "hold", url), stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdout is not None
    held = int(await victim.stdout.readline())
    await asyncio.sleep(LEASE_S / 2)
    victim.kill()
    await victim.wait()
    began, store, had = clock.now(), connect(url, clock, "other", random.Random(2)), 0
    while had < held:
        answer = await store.take([Candidate("k", (SEATS,))], Cost())
        had += isinstance(answer, Granted)
        await asyncio.sleep(0.0 if isinstance(answer, Granted) else 0.05)
    took = clock.now() - began
    await store.aclose()
    return held, took


def thousand(bench: Bench) -> tuple[int, int]:
    """Kill so many pods; then: seats to be had again, and words left in the store."""
    found: list[int] = []

    async def play(loop: VirtualLoop) -> None:
        with bench.client() as client:
            network = Network(client, random.Random(1))
            settings = Settings(prefix="kill", clock_time=True)

            def pod(number: int) -> CommonStore:
                rng = random.Random(number)
                return CommonStore(loop.clock, network.call, "pod", rng, settings=settings)

            keys = [Candidate("k", (SEATS, RATE))]
            for number in range(KILLS):
                await pod(number).take(keys, Cost(), lease_s=LEASE_S)
                kill_everything()
                await asyncio.sleep(1.0)
            await asyncio.sleep(4000.0)
            answers = [await pod(-2).take(keys, Cost()) for _ in range(50)]
            found.append(sum(isinstance(answer, Granted) for answer in answers))
            found.append(len(left_in(client)))
            kill_everything()

    in_virtual_time(play)
    return found[0], found[1]


def figures() -> Iterable[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        try:
            held, took = asyncio.run(killed(bench.url))
            yield Figure(
                f"kill -9 of a process that holds {held} leases of {LEASE_S:.0f} s",
                f"all back within {LEASE_S:.0f} s", f"all {held} back after {took:.1f} s",
                held == 50 and took <= LEASE_S + 1.0, COMMAND,
            )  # fmt: skip
            bench.flush()
            free, words = thousand(bench)
            yield Figure(
                f"{KILLS:,} pods killed with a lease and a slot", "nothing leaks",
                f"{free} of 50 seats free, {words} fields and pods left in the store",
                free == 50 and words <= 12, COMMAND,
            )  # fmt: skip
        finally:
            bench.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["hold"]:
        asyncio.run(hold(sys.argv[2]))
    for figure in figures():
        show([figure])
