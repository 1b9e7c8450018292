"""What the machine takes is measured: a bound is only forgiven what was."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from sidecar.core.clock import system_now
from tests.support.machine import EVERY_S, Growth, RunQueue, Starvation

BLOCKED_S = 0.2


def block(seconds: float) -> None:
    """Keep this thread, and so the loop, from doing anything else."""
    until = system_now() + seconds
    while system_now() < until:
        pass


async def test_for_how_long_the_loop_did_not_run_is_counted() -> None:
    loop = asyncio.get_running_loop()
    async with Starvation() as starved:
        await asyncio.sleep(2 * EVERY_S)
        began = loop.time()
        block(BLOCKED_S)
        await asyncio.sleep(2 * EVERY_S)
        waited_s = starved.waited_s(began, loop.time())
    assert waited_s >= BLOCKED_S - 2 * EVERY_S


async def test_a_span_before_the_trouble_is_not_forgiven_for_it() -> None:
    loop = asyncio.get_running_loop()
    async with Starvation() as starved:
        before = loop.time()
        await asyncio.sleep(2 * EVERY_S)
        ended = loop.time()
        await asyncio.sleep(2 * EVERY_S)
        calm_s = starved.waited_s(before, ended)
        block(BLOCKED_S)
        await asyncio.sleep(2 * EVERY_S)
        assert starved.waited_s(before, ended) == calm_s
        assert starved.worst_s(1.0) >= BLOCKED_S - 2 * EVERY_S


async def test_no_more_than_all_of_a_span_is_forgiven() -> None:
    """Several processes may wait at once."""
    loop = asyncio.get_running_loop()
    async with Starvation() as starved:
        await asyncio.sleep(2 * EVERY_S)
        began = loop.time()
        starved._read(9.0)
        ended = loop.time()
        await asyncio.sleep(2 * EVERY_S)
    assert starved.waited_s(began, ended) == ended - began


def test_a_total_that_falls_has_not_grown() -> None:
    totals = iter([5.0, 7.0, 1.0, 1.5])
    growth = Growth(lambda: next(totals))
    assert [growth.grown_s() for _ in range(3)] == [2.0, 0.0, 0.5]


def test_a_process_that_ended_waits_for_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        queue = RunQueue(process.pid)
    assert queue.grown_s() == 0.0


def test_nobody_waits_less_than_before() -> None:
    queue = RunQueue(os.getpid())
    assert all(queue.grown_s() >= 0.0 for _ in range(100))
