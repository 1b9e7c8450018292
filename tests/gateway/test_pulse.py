"""A pulse wakes who waits now, and remembers nothing."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.gateway.pulse import Pulse
from sidecar.testing.virtual import in_virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


@in_virtual_time
async def test_everybody_who_waits_is_woken() -> None:
    pulse = Pulse()
    loop = asyncio.get_running_loop()
    loop.call_later(2.0, pulse.fire)
    await asyncio.gather(*(pulse.wait(100.0) for _ in range(5)))
    assert now() == pytest.approx(2.0)


@in_virtual_time
async def test_without_a_pulse_the_wait_ends_by_itself() -> None:
    await Pulse().wait(3.0)
    assert now() == pytest.approx(3.0)


@in_virtual_time
async def test_a_pulse_before_the_wait_is_not_remembered() -> None:
    pulse = Pulse()
    pulse.fire()
    await pulse.wait(3.0)
    assert now() == pytest.approx(3.0)


@in_virtual_time
async def test_a_cancelled_waiter_leaves_no_trace_and_disturbs_nobody() -> None:
    pulse, loop = Pulse(), asyncio.get_running_loop()
    gone, stays = loop.create_task(pulse.wait(50.0)), loop.create_task(pulse.wait(50.0))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    pulse.fire()
    await stays
    assert gone.cancelled()
    assert now() == pytest.approx(0.0)


@in_virtual_time
async def test_a_pulse_in_the_moment_of_the_timer_wakes_once() -> None:
    pulse = Pulse()
    asyncio.get_running_loop().call_later(3.0, pulse.fire)
    await pulse.wait(3.0)
    pulse.fire()
