"""Attempts that still run are told to the ledger, so that a killed daemon leaves a trace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from sidecar.gateway.holding import AT_ONCE, EVERY, NEW_S, Holding
from sidecar.ledger.entry import Entry
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import House, settled_down
from tests.ledger.making import entry


class Ear:
    """A ledger that notes how many entries each write had."""

    def __init__(self) -> None:
        self.writes: list[int] = []

    def hold(self, *entries: Entry) -> None:
        self.writes.append(len(entries))


class Attempt:
    """Counts how often it was told; something may happen while it is."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.told = 0
        self._meanwhile = meanwhile

    def held(self) -> Entry:
        self.told += 1
        self._meanwhile()
        return entry(1)


@asynccontextmanager
async def sweeping(holding: Holding) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(holding.sweep())
    await asyncio.sleep(0)
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@in_virtual_time
async def test_a_new_attempt_is_told_within_one_sweep() -> None:
    holding, attempt = Holding(Ear()), Attempt()
    async with sweeping(holding):
        holding.add(attempt)
        await asyncio.sleep(1.01 * NEW_S)
        assert attempt.told == 1


@in_virtual_time
async def test_an_attempt_that_ends_within_one_sweep_is_never_told() -> None:
    holding, attempt = Holding(Ear()), Attempt()
    async with sweeping(holding):
        holding.add(attempt)
        await asyncio.sleep(0.5 * NEW_S)
        holding.discard(attempt)
        await asyncio.sleep(100 * NEW_S)
        assert attempt.told == 0


@in_virtual_time
async def test_a_long_attempt_is_told_again_and_again_until_it_ends() -> None:
    holding, attempt = Holding(Ear()), Attempt()
    async with sweeping(holding):
        holding.add(attempt)
        await asyncio.sleep(20.01 * EVERY * NEW_S)
        told = attempt.told
        await asyncio.sleep(5 * EVERY * NEW_S)
        assert attempt.told == told + 5
        holding.discard(attempt)
        told = attempt.told
        await asyncio.sleep(5 * EVERY * NEW_S)
        assert attempt.told == told


@in_virtual_time
async def test_what_was_told_last_is_never_older_than_a_third_of_its_age() -> None:
    holding, ages = Holding(Ear()), list[float]()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with sweeping(holding):
        holding.add(Attempt(lambda: ages.append((loop.time() - began) / NEW_S)))
        await asyncio.sleep(40.01 * NEW_S)
    assert ages == pytest.approx([1, 2, 3, 4, 6, 9, 13, 19, 27, 35])


@in_virtual_time
async def test_many_are_told_by_few_writes_that_do_not_keep_the_loop() -> None:
    ear, turns = Ear(), list[int]()
    holding, turn = Holding(ear), 0
    for _ in range(10 * AT_ONCE - 1):
        holding.add(Attempt(lambda: turns.append(turn)))
    async with sweeping(holding):
        await asyncio.sleep(NEW_S)
        while len(ear.writes) < 10:
            turn += 1
            await asyncio.sleep(0)
    assert ear.writes == [AT_ONCE] * 9 + [AT_ONCE - 1]
    assert max(map(turns.count, turns)) == AT_ONCE


@in_virtual_time
async def test_one_that_ended_while_others_were_told_is_told_no_more() -> None:
    holding, last = Holding(Ear()), Attempt()
    for _ in range(AT_ONCE):
        holding.add(Attempt(lambda: holding.discard(last)))
    holding.add(last)
    async with sweeping(holding):
        await asyncio.sleep(2 * NEW_S)
    assert last.told == 0


@in_virtual_time
async def test_one_that_was_sent_and_not_answered_is_held_as_nothing() -> None:
    house = House("silent-200")
    house.engine.start()
    reading = asyncio.get_running_loop().create_task(_drain(house.stream(house.request())))
    await asyncio.sleep(3.0)
    (held,) = house.books.held.values()
    assert (held.usage.output_tokens, held.cost.total_nano_usd) == (0, 0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await settled_down()
    assert not house.books.held
    await house.aclose()


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
