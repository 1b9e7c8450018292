"""Waiting for a seat: when one comes free is a guess, and a guess is no reason to refuse."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.failure import Reason, RequestFailed
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import PLAIN, House, settled_down

SEAT = "{concurrency: 1}"
HELD_S = 30.0
"""For as long as everybody so far held the seat: the next is guessed to be free in a second."""


async def taken(limits: str = SEAT) -> House:
    """A house whose only seat is taken, and known to be held for long."""
    house = House(limits=limits)
    first = await house.acquire()
    await asyncio.sleep(HELD_S)
    house.settle(first.reservation)
    await house.acquire()
    return house


async def refused_at(house: House, timeout_s: float) -> tuple[Reason, float]:
    """The refusal of a request, and after how many seconds it came."""
    began = house.clock.now()
    with pytest.raises(RequestFailed) as caught:
        await house.acquire(timeout_s=timeout_s)
    return caught.value.reason, house.clock.now() - began


@in_virtual_time
async def test_a_seat_guessed_to_come_too_late_is_waited_for_until_the_deadline() -> None:
    house = await taken()
    reason, after_s = await refused_at(house, 0.4)
    assert reason is Reason.DEADLINE_EXCEEDED
    assert after_s == pytest.approx(0.4, abs=0.002)


@in_virtual_time
async def test_a_seat_that_comes_free_earlier_than_guessed_is_taken() -> None:
    house = House(limits=SEAT)
    first = await house.acquire()
    await asyncio.sleep(HELD_S)
    house.settle(first.reservation)
    second = await house.acquire()
    waiting = asyncio.get_running_loop().create_task(house.acquire(timeout_s=0.4))
    await asyncio.sleep(0.2)
    house.settle(second.reservation)
    await settled_down()
    assert (await waiting).waited_s == pytest.approx(0.2, abs=0.002)


@in_virtual_time
async def test_whoever_queues_for_a_seat_is_not_refused_by_a_guess() -> None:
    house = await taken()
    session = house.session(timeout_s=0.4)
    house.engine.gateway.parts.leases.refuse_hopeless(session, house.engine.gateway.world, PLAIN)


@in_virtual_time
async def test_a_rate_that_comes_too_late_is_refused_at_once_even_if_seats_are_short() -> None:
    house = await taken(f"{SEAT}, {{requests: 1, per: 60s, burst: 1}}")
    assert await refused_at(house, 10.0) == (Reason.DEADLINE_TOO_SHORT, 0.0)


@in_virtual_time
async def test_a_wait_for_a_seat_ends_after_the_deadline_by_no_more_than_a_look() -> None:
    house = House(limits=SEAT)
    await house.acquire()
    _, after_s = await refused_at(house, 7.0)
    assert after_s == pytest.approx(7.0, abs=0.002)
