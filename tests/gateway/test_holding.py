"""Attempts that still run are told to the ledger, so that a killed daemon leaves a trace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sidecar.gateway.holding import EVERY, NEW_S, Holding
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import House, settled_down


class Attempt:
    def __init__(self) -> None:
        self.told = 0

    def hold(self) -> None:
        self.told += 1


@asynccontextmanager
async def sweeping(holding: Holding) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(holding.sweep())
    await asyncio.sleep(0)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@in_virtual_time
async def test_a_new_attempt_is_told_within_one_sweep() -> None:
    holding, attempt = Holding(), Attempt()
    async with sweeping(holding):
        holding.add(attempt)
        await asyncio.sleep(1.01 * NEW_S)
        assert attempt.told == 1


@in_virtual_time
async def test_an_attempt_that_ends_within_one_sweep_is_never_told() -> None:
    holding, attempt = Holding(), Attempt()
    async with sweeping(holding):
        holding.add(attempt)
        await asyncio.sleep(0.5 * NEW_S)
        holding.discard(attempt)
        await asyncio.sleep(100 * NEW_S)
        assert attempt.told == 0


@in_virtual_time
async def test_a_long_attempt_is_told_again_and_again_until_it_ends() -> None:
    holding, attempt = Holding(), Attempt()
    async with sweeping(holding):
        holding.add(attempt)
        await asyncio.sleep(5.01 * EVERY * NEW_S)
        assert 5 <= attempt.told <= 6
        holding.discard(attempt)
        told = attempt.told
        await asyncio.sleep(5 * EVERY * NEW_S)
        assert attempt.told == told


@in_virtual_time
async def test_what_is_held_of_a_running_stream_is_its_use_so_far() -> None:
    house = House("stall-9-200")
    house.engine.start()
    events = house.stream(house.request())
    task = asyncio.get_running_loop().create_task(anext(events))
    await task
    reading = asyncio.get_running_loop().create_task(_drain(events))
    await asyncio.sleep(3.0)
    (held,) = house.books.held.values()
    assert held.usage.estimated
    assert held.usage.output_tokens == 9
    assert held.cost.total_nano_usd > 0
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await settled_down()
    assert not house.books.held
    await house.aclose()


async def _drain(events: object) -> None:
    async for _ in events:  # type: ignore[attr-defined]
        pass
