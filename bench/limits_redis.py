"""One daemon on one real Redis: python bench/limits_redis.py

Prints the latency of a take one after the other, paced at 1,000 a second, and how many a second are
decided when many ask at once; and what the script costs the server. Acceptance: limits reference
5.3, figure 12.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time

from limits_fleet import Bench

from sidecar.core.clock import LoopClock
from sidecar.limits.bucket import Bucket, Cost, Dimension
from sidecar.limits.pool import Settings
from sidecar.limits.redis import RedisStore, connect
from sidecar.limits.store import Candidate, Granted

COST = Cost(1, 100, 200)


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


def report(name: str, took: list[float], seconds: float) -> None:
    took.sort()
    p50, p99 = (took[int(len(took) * share)] * 1e3 for share in (0.5, 0.99))
    print(f"{name:<28} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   {len(took) / seconds:7.0f}/s")


async def sequential(store: RedisStore) -> None:
    took: list[float] = []
    began = time.perf_counter()
    for _ in range(3000):
        await one(store, took)
    report("one after the other", took, time.perf_counter() - began)


async def paced(store: RedisStore, rate: float, seconds: float) -> None:
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
    report(f"paced, {rate:.0f} a second", took, seconds)


async def crowded(store: RedisStore, many: int) -> None:
    took: list[float] = []

    async def work() -> None:
        for _ in range(100):
            await one(store, took)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(many)))
    report(f"{many} at once", took, time.perf_counter() - began)


async def main(bench: Bench) -> None:
    clock = LoopClock(asyncio.get_running_loop())
    settings = Settings(command_timeout_s=1.0)
    store = connect(bench.url, clock, "bench", random.Random(1), settings=settings)
    await one(store, [])
    with bench.client() as client:
        client.config_resetstat()
        await sequential(store)
        script = client.info("commandstats")["cmdstat_evalsha"]["usec_per_call"]
        print(f"script, 16 buckets           {script:.0f} us")
    await paced(store, 1000.0, 5.0)
    await crowded(store, 100)
    print(f"mode {store.modes()}, round trips {store.round_trips()}")
    await store.aclose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        server = Bench(folder)
        try:
            asyncio.run(main(server))
        finally:
            server.stop()
