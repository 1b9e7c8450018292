"""A task that is to end ends, also one whose cancellation was lost."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sidecar.core.tasks import AGAIN_S, ended
from sidecar.testing.virtual import in_virtual_time


async def deaf(times: int) -> None:
    """Goes on after so many cancellations, as what waits by `wait_for` may before Python 3.12."""
    for _ in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


@in_virtual_time
async def test_a_task_is_over_when_it_was_ended() -> None:
    task = asyncio.create_task(deaf(0))
    await asyncio.sleep(0)
    await ended([task])
    assert task.cancelled()


@in_virtual_time
async def test_a_lost_cancellation_is_given_again() -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(deaf(2))
    await asyncio.sleep(0)
    began = loop.time()
    await ended([task])
    assert task.cancelled()
    assert loop.time() - began == pytest.approx(2 * AGAIN_S)


@in_virtual_time
async def test_a_clean_up_is_waited_for_and_left_alone() -> None:
    done: list[str] = []

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(AGAIN_S / 2)
            done.append("tidied")

    task = asyncio.create_task(tidy())
    await asyncio.sleep(0)
    await ended([task, None])
    assert done == ["tidied"]


@in_virtual_time
async def test_what_a_task_raises_is_nobodys_news() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    await ended([asyncio.create_task(broken()), asyncio.create_task(deaf(0))])


@in_virtual_time
async def test_nothing_to_end_is_no_wait() -> None:
    await ended([])
