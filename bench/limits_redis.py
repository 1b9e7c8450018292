"""One daemon on one real Redis: python -m bench.limits_redis

Prints the latency of a take one after the other, paced at 1,000 a second, and how many a second are
decided when many ask at once; and what the script costs the server. Acceptance: limits reference
5.3, figure 12.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable

from bench.limits_fleet import Bench
from bench.limits_table import Figure, show
from sidecar.core.clock import LoopClock
from sidecar.limits.bucket import Bucket, Cost, Dimension
from sidecar.limits.pool import Settings
from sidecar.limits.redis import RedisStore, connect
from sidecar.limits.store import Candidate, Granted

COST = Cost(1, 100, 200)
COMMAND = "python -m bench.limits_redis"
Target = tuple[str, Callable[[float, float], bool] | None]


def key(number: int) -> Candidate:
    """Four buckets of its own: with four keys the script reads sixteen."""
    return Candidate(
        f"k{number}",
        (
            Bucket(f"p/{number}/r", "p", Dimension.REQUESTS, 10**8, 60.0, 10**8),
            Bucket(f"p/{number}/t", "p", Dimension.TOKENS, 10**10, 60.0, 10**10),
            Bucket(f"p/{number}/c", "p", Dimension.CONCURRENCY, 10**6),
            Bucket(f"p/{number}/o", "p", Dimension.REQUESTS, 10**8, 60.0, 10**8),
        ),
    )


KEYS = [key(number) for number in range(4)]


async def one(store: RedisStore, took: list[float]) -> None:
    began = time.perf_counter()
    answer = await store.take(KEYS, COST, horizon_s=0.5)
    took.append(time.perf_counter() - began)
    if isinstance(answer, Granted):
        store.settle(answer.reservation, COST)


def report(name: str, took: list[float], seconds: float, target: Target = ("-", None)) -> Figure:
    """`target`: what is promised, and what makes it true of (p99 in ms, decisions a second)."""
    took.sort()
    p50, p99 = (took[int(len(took) * share)] * 1e3 for share in (0.5, 0.99))
    rate = len(took) / seconds
    text = f"p50 {p50:.2f}, p99 {p99:.2f} ms, {rate:.0f}/s"
    met = None if target[1] is None else target[1](p99, rate)
    return Figure(f"one Redis, one daemon: {name}", target[0], text, met, COMMAND)


async def sequential(store: RedisStore, rounds: int = 3000) -> Figure:
    took: list[float] = []
    began = time.perf_counter()
    for _ in range(rounds):
        await one(store, took)
    return report("one take after the other", took, time.perf_counter() - began)


async def paced(store: RedisStore, rate: float, seconds: float) -> Figure:
    took: list[float] = []
    loop = asyncio.get_running_loop()
    tasks, began, clock = set(), loop.time(), random.Random(1)
    at = began
    while at < began + seconds:
        at += clock.expovariate(rate)
        await asyncio.sleep(max(at - loop.time(), 0.0))
        task = loop.create_task(one(store, took))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    target = ("p99 <= 3 ms", lambda p99, _: p99 <= 3.0)
    return report(f"{rate:.0f} takes a second", took, seconds, target)


async def crowded(store: RedisStore, many: int) -> Figure:
    took: list[float] = []

    async def work() -> None:
        for _ in range(100):
            await one(store, took)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(many)))
    target = (">= 3,000/s", lambda _, rate: rate >= 3000.0)
    return report(f"{many} callers at once", took, time.perf_counter() - began, target)


def script_time(bench: Bench) -> Figure:
    """What the server itself counted since its counters were reset."""
    with bench.client() as client:
        spent = client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"]
    name = "script in Redis, 4 keys x 4 buckets, settlements included"
    return Figure(name, "<= 150 us", f"{spent:.0f} us", spent <= 150.0, COMMAND)


async def measured(bench: Bench) -> list[Figure]:
    clock = LoopClock(asyncio.get_running_loop())
    settings = Settings(command_timeout_s=1.0)
    store = connect(bench.url, clock, "bench", random.Random(1), settings=settings)
    await one(store, [])
    with bench.client() as client:
        client.config_resetstat()
    found = [await sequential(store), script_time(bench)]
    found += [await paced(store, 1000.0, 5.0), await crowded(store, 100)]
    await store.aclose()
    return found


def figures() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        try:
            return asyncio.run(measured(bench))
        finally:
            bench.stop()


if __name__ == "__main__":
    show(figures())
