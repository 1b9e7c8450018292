"""What a decision costs in memory: python -m bench.limits_memory

Prints microseconds for one bucket and for four keys with four buckets each, free and saturated, and
for the queue with 1,000 callers and 5,000 waiting: processor time of the thread, so that a busy
machine does not count. Acceptance: limits reference 5.3, figure 11.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bench.limits_table import Figure, show
from sidecar.core.request import Priority
from sidecar.limits.bucket import Bucket, Cost, Dimension
from sidecar.limits.memory import MemoryStore
from sidecar.limits.queue import FairQueue
from sidecar.limits.store import Candidate, Granted

COMMAND = "python -m bench.limits_memory"
ROUNDS = 20_000
COST = Cost(1, 100, 200)


class Clock:
    def now(self) -> float:
        return time.monotonic()

    def wall_ns(self) -> int:
        return time.time_ns()


def key(number: int, requests: int) -> Candidate:
    account = number // 2
    return Candidate(
        f"k{number}",
        (
            Bucket(f"p/{account}/r", "p", Dimension.REQUESTS, requests, 60.0, requests),
            Bucket(f"p/{account}/t", "p", Dimension.TOKENS, 10**9, 60.0, 10**9),
            Bucket(f"p/{account}/c", "p", Dimension.CONCURRENCY, 500),
            Bucket(f"p/{account}/r/{number}", "p", Dimension.REQUESTS, 10**8, 60.0, 10**8),
        ),
    )


def report(name: str, nanoseconds: list[int], most_us: float | None = None) -> Figure:
    """`most_us`: what the 99th percentile may be."""
    nanoseconds.sort()
    p50, p99 = (nanoseconds[int(len(nanoseconds) * share)] / 1000 for share in (0.5, 0.99))
    return Figure(
        f"in memory: {name}",
        "-" if most_us is None else f"p99 <= {most_us:g} us",
        f"p50 {p50:.1f}, p99 {p99:.1f} us",
        None if most_us is None else p99 <= most_us,
        COMMAND,
    )


async def decisions(name: str, candidates: list[Candidate], most_us: float) -> Figure:
    store = MemoryStore(Clock())
    took: list[int] = []
    for _ in range(ROUNDS):
        began = time.thread_time_ns()
        answer = await store.take(candidates, COST, horizon_s=0.5)
        took.append(time.thread_time_ns() - began)
        if isinstance(answer, Granted):
            store.settle(answer.reservation, COST)
    return report(name, took, most_us)


async def settlements(candidates: list[Candidate]) -> Figure:
    store = MemoryStore(Clock())
    took: list[int] = []
    for _ in range(ROUNDS):
        answer = await store.take(candidates, COST, horizon_s=0.5)
        assert isinstance(answer, Granted)
        began = time.thread_time_ns()
        store.settle(answer.reservation, Cost(1, 100, 150))
        took.append(time.thread_time_ns() - began)
    return report("settle, 4 buckets, with a refund", took)


def queueing() -> Figure:
    queue: FairQueue[int] = FairQueue(max_work_s=1e9)
    for number in range(5000):
        queue.push(number, str(number % 1000), Priority.NORMAL, 1.0)

    def turn(number: int) -> Callable[[], None]:
        def run() -> None:
            queue.push(number, str(number % 1000), Priority.NORMAL, 1.0)
            queue.pop()

        return run

    took: list[int] = []
    for number in range(ROUNDS):
        run = turn(number)
        began = time.thread_time_ns()
        run()
        took.append(time.thread_time_ns() - began)
    return report("queue, 1,000 callers, 5,000 waiting, push and pop", took)


async def measured() -> list[Figure]:
    single = [Candidate("k", (Bucket("p/r", "p", Dimension.REQUESTS, 10**8, 60.0, 10**8),))]
    free, empty = ([key(n, requests) for n in range(4)] for requests in (10**8, 1))
    return [
        await decisions("take, 1 key x 1 bucket", single, 50.0),
        await decisions("take, 4 keys x 4 buckets, free", free, 50.0),
        await decisions("take, 4 keys x 4 buckets, refused", empty, 50.0),
        await settlements(free),
        queueing(),
    ]


def figures() -> list[Figure]:
    return asyncio.run(measured())


if __name__ == "__main__":
    show(figures())
