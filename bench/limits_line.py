"""Who goes next: python -m bench.limits_line

Through whole daemons in virtual time: ten equal callers that saturate an account, and requests with
all kinds of deadlines, of which none may reach the provider late. The queue alone: weights, and
callers of equal weight. Acceptance: limits reference 5.3, figures 13 and 14.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable

from bench.limits_table import Figure, show
from sidecar.core.failure import RequestFailed
from sidecar.core.request import Priority
from sidecar.limits.queue import FairQueue
from sidecar.testing import virtual
from tests.gateway.house import House

COMMAND = "python -m bench.limits_line"
CALLERS = 10
LIMITS = "{requests: 600, per: 60s, burst: 5}, {concurrency: 40}"


def jain(parts: Iterable[float]) -> float:
    """1: all alike; 1/n: one has it all."""
    found = list(parts)
    return sum(found) ** 2 / (len(found) * sum(part * part for part in found))


async def equal(seconds: float) -> Counter[str]:
    """Answers to each of ten callers, who ask for as many at once as they like."""
    house, got = House(limits=LIMITS, max_streams=2000, max_waiting=2000), Counter[str]()

    async def ask(caller: str) -> None:
        while True:
            await house.ask(timeout_s=3600.0, caller=caller)
            got[caller] += 1

    crowd = [f"caller{n}" for n in range(CALLERS) for _ in range(4 + 4 * n)]
    tasks = [asyncio.ensure_future(ask(caller)) for caller in crowd]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await house.aclose()
    return got


async def hurried(count: int) -> tuple[int, int, int]:
    """Of `count` requests at 1.5 times the rate: served, refused, and sent after their deadline."""
    house, rng = House(limits=LIMITS, max_streams=9000, max_waiting=9000), random.Random(3)
    deadlines: list[float] = []
    ends: Counter[bool] = Counter()

    async def ask(timeout_s: float) -> None:
        request = house.request(timeout_s=timeout_s, seed=len(deadlines))
        deadlines.append(request.deadline)
        try:
            async for _ in house.stream(request):
                pass
            ends[True] += 1
        except RequestFailed:
            ends[False] += 1

    tasks = []
    for _ in range(count):
        await asyncio.sleep(rng.expovariate(15.0))
        tasks.append(asyncio.ensure_future(ask(rng.choice([0.3, 1.0, 2.0, 5.0, 20.0]))))
    await asyncio.gather(*tasks)
    came = [(entry.body or {}, entry.received_s) for entry in house.first.log]
    late = sum(received > deadlines[body["seed"]] + 1e-3 for body, received in came)
    await house.aclose()
    return ends[True], ends[False], late


def weighted() -> list[float]:
    """The work of three callers with weights 1, 2 and 4, as multiples of the first's."""
    queue, rng = FairQueue[str](max_work_s=1e9), random.Random(1)
    got = dict.fromkeys("abc", 0.0)
    for caller, weight in (("a", 1.0), ("b", 2.0), ("c", 4.0)):
        for _ in range(3000):
            queue.push(caller, caller, Priority.NORMAL, rng.uniform(0.1, 4.0), weight)
    for _ in range(4000):
        ticket = queue.pop()
        assert ticket is not None
        got[ticket.caller] += ticket.work_s
    return [got[caller] / got["a"] for caller in "abc"]


def figures() -> list[Figure]:
    fair = jain(virtual.run(equal(120.0)).values())
    served, refused, late = virtual.run(hurried(900))
    parts = weighted()
    even = all(abs(part / want - 1.0) <= 0.05 for part, want in zip(parts, (1, 2, 4), strict=True))
    return [
        Figure(
            "queue: ten equal callers with 4 to 40 requests at once",
            "Jain >= 0.98", f"Jain {fair:.4f}", fair >= 0.98, COMMAND,
        ),
        Figure(
            "queue: weights 1:2:4, by work", "within 5 %",
            ":".join(f"{part:.3f}" for part in parts), even, COMMAND,
        ),
        Figure(
            "queue: sent after the deadline, 1.5 x the rate, 900 requests", "0",
            f"{late} ({served} answered, {refused} refused)", late == 0, COMMAND,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    show(figures())
