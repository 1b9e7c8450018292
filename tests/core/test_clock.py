"""The loop owns time; the wall follows it."""

from __future__ import annotations

import asyncio

from sidecar.core.clock import LoopClock
from sidecar.testing.virtual import START_WALL_NS, clock, in_virtual_time


@in_virtual_time
async def test_now_is_the_loops_own_time() -> None:
    one = LoopClock(asyncio.get_running_loop(), START_WALL_NS)
    began = one.now()
    await asyncio.sleep(2.5)
    assert one.now() - began == 2.5


@in_virtual_time
async def test_the_wall_follows_the_loop() -> None:
    one = LoopClock(asyncio.get_running_loop(), START_WALL_NS)
    await asyncio.sleep(86_400.0)
    assert one.wall_ns() == START_WALL_NS + 86_400 * 10**9


@in_virtual_time
async def test_a_stepped_wall_does_not_move_the_loop() -> None:
    one = clock()
    before = one.now()
    one.re_anchor(1_000)
    assert (one.wall_ns(), one.now()) == (1_000, before)


@in_virtual_time
async def test_a_finer_clock_may_stand_in_for_the_loops() -> None:
    loop = asyncio.get_running_loop()
    one = LoopClock(loop, 0, fine=lambda: loop.time() + 0.000_25)
    assert one.now() == loop.time() + 0.000_25
    assert one.wall_ns() == 0
