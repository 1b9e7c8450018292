"""The virtual loop: no waiting, no luck, and a name for whoever waits for ever."""

from __future__ import annotations

import asyncio
import random

import pytest

from sidecar.core.clock import system_now
from sidecar.testing import virtual

DAY_S = 86_400.0


def test_a_day_of_sleeping_takes_no_time() -> None:
    async def day() -> float:
        await asyncio.sleep(DAY_S)
        return asyncio.get_running_loop().time()

    before = system_now()
    assert virtual.run(day()) == DAY_S
    assert system_now() - before < 10.0


def test_a_year_in_uneven_steps_ends_where_it_should() -> None:
    async def year() -> float:
        loop = asyncio.get_running_loop()
        for step in range(1, 4000):
            await asyncio.sleep(step * 3.9445)
        return loop.time()

    assert virtual.run(year()) == pytest.approx(3999 * 4000 / 2 * 3.9445)


def _trace(seed: int) -> list[tuple[float, int, int]]:
    async def worker(name: int, rng: random.Random, queue: asyncio.Queue[int]) -> None:
        for _ in range(20):
            await asyncio.sleep(rng.random())
            await queue.put(name)

    async def main() -> list[tuple[float, int, int]]:
        rng = random.Random(seed)
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=3)
        tasks = [asyncio.create_task(worker(name, rng, queue)) for name in range(50)]
        loop = asyncio.get_running_loop()
        seen = [(loop.time(), await queue.get(), queue.qsize()) for _ in range(1000)]
        await asyncio.gather(*tasks)
        return seen

    return virtual.run(main())


def test_the_same_seed_gives_the_same_trace_twice() -> None:
    assert _trace(7) == _trace(7)


def test_another_seed_gives_another_trace() -> None:
    assert _trace(7) != _trace(8)


def test_a_deadlock_names_the_task_and_its_place() -> None:
    async def inner() -> None:
        await asyncio.get_running_loop().create_future()

    async def forgotten() -> None:
        await inner()

    async def main() -> None:
        await asyncio.create_task(forgotten(), name="the-forgotten-one")

    with pytest.raises(virtual.Deadlock, match=r"the-forgotten-one at .*inner \(test_virtual.py"):
        virtual.run(main())


def test_a_timeout_is_no_deadlock() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert virtual.run(main()) == 600.0


def test_timers_fire_in_the_order_of_their_times() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        fired: list[float] = []
        for when in (3.0, 1.0, 2.5, 0.1):
            loop.call_at(when, lambda: fired.append(loop.time()))
        await asyncio.sleep(10)
        return fired

    assert virtual.run(main()) == [0.1, 1.0, 2.5, 3.0]


def test_a_condition_wakes_its_waiter() -> None:
    async def main() -> float:
        condition = asyncio.Condition()
        asyncio.get_running_loop().call_later(5, lambda: asyncio.ensure_future(wake(condition)))
        async with condition:
            await condition.wait()
        return asyncio.get_running_loop().time()

    async def wake(condition: asyncio.Condition) -> None:
        async with condition:
            condition.notify_all()

    assert virtual.run(main()) == 5.0


def test_the_wall_clock_follows_the_loop() -> None:
    async def main() -> list[int]:
        early = virtual.clock()
        await asyncio.sleep(2.5)
        return [early.wall_ns(), virtual.clock().wall_ns()]

    assert virtual.run(main(), start_s=1000.0, start_wall_ns=10**18) == [10**18 + 2_500_000_000] * 2


def test_threads_run_in_place_and_take_no_time() -> None:
    async def main() -> tuple[int, float]:
        value = await asyncio.to_thread(lambda: 41 + 1)
        return value, asyncio.get_running_loop().time()

    assert virtual.run(main()) == (42, 0.0)


def test_an_error_in_a_thread_reaches_its_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        virtual.run(asyncio.to_thread(lambda: 1 // 0))


def test_real_sockets_are_refused() -> None:
    with pytest.raises(RuntimeError, match="no real sockets"):
        virtual.run(asyncio.open_connection("127.0.0.1", 9))


def test_tasks_left_over_are_cancelled() -> None:
    ended: list[str] = []

    async def stays() -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            ended.append("cancelled")

    async def main() -> None:
        task = asyncio.create_task(stays())
        await asyncio.sleep(1)
        assert not task.done()

    virtual.run(main())
    assert ended == ["cancelled"]


@virtual.in_virtual_time
async def test_a_test_can_live_in_virtual_time_as_a_whole() -> None:
    await asyncio.sleep(DAY_S)
    assert virtual.clock().now() == DAY_S


async def test_the_clock_is_refused_outside_a_virtual_loop() -> None:
    with pytest.raises(TypeError, match="not a virtual loop"):
        virtual.clock()
