"""Each stage has its own clock; pauses blame nobody; the caller's deadline beats them all."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from itertools import repeat

import msgspec
import pytest

from sidecar.core.failure import Cause
from sidecar.core.target import Phases
from sidecar.gateway.watchdog import DeadlinePassed, Stage, TimeUp, Watchdog
from sidecar.testing.virtual import in_virtual_time

PHASES = Phases(
    connect_s=1.0,
    headers_s=2.0,
    first_s=5.0,
    reasoning_gap_s=7.0,
    turn_s=4.0,
    answer_gap_s=6.0,
    tail_s=1.5,
)
FOREVER = 1e9
# After how many seconds of silence, and as what.
CLOCKS = {
    Stage.HEADERS: (3.0, Cause.TIMEOUT_HEADERS),
    Stage.FIRST: (5.0, Cause.TIMEOUT_FIRST),
    Stage.REASONING: (7.0, Cause.STALLED),
    Stage.ANSWER: (6.0, Cause.STALLED),
}


def now() -> float:
    return asyncio.get_running_loop().time()


async def silence(
    stage: Stage, phases: Phases = PHASES, deadline: float = FOREVER, most_s: float = 1e6
) -> None:
    """Enter `stage` after a second, then nothing."""
    async with Watchdog(phases, deadline) as watchdog:
        await asyncio.sleep(1.0)
        watchdog.enter(stage)
        await asyncio.sleep(most_s)


async def live(
    steps: Iterable[tuple[Stage, float]], phases: Phases = PHASES, deadline: float = FOREVER
) -> None:
    """Enter one stage after the other, each followed by so many seconds of silence."""
    async with Watchdog(phases, deadline) as watchdog:
        for stage, seconds in steps:
            watchdog.enter(stage)
            await asyncio.sleep(seconds)


async def time_up(stage: Stage, **more: object) -> TimeUp:
    with pytest.raises(TimeUp) as caught:
        await silence(stage, **more)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("stage", CLOCKS)
@in_virtual_time
async def test_every_stage_has_its_own_clock(stage: Stage) -> None:
    began = now()
    error = await time_up(stage)
    allowed_s, cause = CLOCKS[stage]
    assert error.failure is not None
    assert (error.stage, error.failure.cause) == (stage, cause)
    assert now() - began == pytest.approx(1.0 + allowed_s)


@pytest.mark.parametrize("stage", CLOCKS)
@in_virtual_time
async def test_what_is_waited_for_is_told_with_its_end(stage: Stage) -> None:
    async with Watchdog(PHASES, FOREVER) as watchdog:
        await asyncio.sleep(1.0)
        watchdog.enter(stage)
        await asyncio.sleep(1.5)
        waits = watchdog.waits
    allowed_s, _ = CLOCKS[stage]
    assert (waits.stage, waits.since) == (stage, pytest.approx(1.0))
    assert waits.until == pytest.approx(1.0 + allowed_s)


@in_virtual_time
async def test_what_is_waited_for_ends_with_the_deadline() -> None:
    async with Watchdog(PHASES, 2.5) as watchdog:
        assert watchdog.waits.until == 2.5


@pytest.mark.parametrize(("deadline", "until"), [(90.0, 90.0), (FOREVER, math.inf)])
@in_virtual_time
async def test_a_caller_who_does_not_read_is_waited_for_until_its_deadline(
    deadline: float, until: float
) -> None:
    phases = msgspec.structs.replace(PHASES, total_s=100.0)
    async with Watchdog(phases, deadline) as watchdog:
        watchdog.enter(Stage.PAUSED)
        assert watchdog.waits.until == until


@in_virtual_time
async def test_headers_are_counted_from_the_beginning() -> None:
    with pytest.raises(TimeUp) as caught:
        async with Watchdog(PHASES, FOREVER):
            await asyncio.sleep(1e6)
    assert now() == pytest.approx(3.0)
    assert caught.value.stage is Stage.HEADERS


@in_virtual_time
async def test_between_reasoning_and_answer_the_longer_of_both_clocks_counts() -> None:
    phases = Phases(reasoning_gap_s=2.0, turn_s=9.0)
    await time_up(Stage.REASONING, phases=phases)
    assert now() == pytest.approx(10.0)


@in_virtual_time
async def test_silence_in_the_tail_is_the_end_and_no_failure() -> None:
    error = await time_up(Stage.TAIL)
    assert error.failure is None
    assert now() == pytest.approx(2.5)


@in_virtual_time
async def test_every_event_begins_its_stage_anew() -> None:
    await live([(Stage.ANSWER, 5.9)] * 100)


@in_virtual_time
async def test_a_pause_blames_nobody_however_long() -> None:
    await live([(Stage.ANSWER, 0.0), (Stage.PAUSED, 86_400.0)])


@in_virtual_time
async def test_after_a_pause_the_clock_begins_anew() -> None:
    with pytest.raises(TimeUp):
        await live([(Stage.PAUSED, 100.0), (Stage.ANSWER, 1e6)])
    assert now() == pytest.approx(106.0)


@pytest.mark.parametrize("stage", [*CLOCKS, Stage.TAIL])
@in_virtual_time
async def test_the_deadline_beats_every_stage(stage: Stage) -> None:
    with pytest.raises(DeadlinePassed):
        await silence(stage, deadline=now() + 2.0)
    assert now() == pytest.approx(2.0)


@in_virtual_time
async def test_the_deadline_comes_although_events_do() -> None:
    with pytest.raises(DeadlinePassed):
        await live(repeat((Stage.ANSWER, 0.5)), deadline=now() + 10.0)
    assert now() == pytest.approx(10.0)


@in_virtual_time
async def test_a_deadline_that_has_passed_already_ends_it_at_once() -> None:
    with pytest.raises(DeadlinePassed):
        await silence(Stage.FIRST, deadline=now() - 1.0)
    assert now() == pytest.approx(0.0)


@in_virtual_time
async def test_the_total_of_an_attempt_runs_on_in_every_stage() -> None:
    with pytest.raises(TimeUp) as caught:
        await live(repeat((Stage.REASONING, 1.5)), phases=Phases(total_s=20.0))
    assert caught.value.failure is not None
    assert caught.value.failure.cause is Cause.TIMEOUT_TOTAL
    assert now() == pytest.approx(20.0)


@in_virtual_time
async def test_of_total_and_deadline_the_sooner_one_is_told() -> None:
    with pytest.raises(DeadlinePassed):
        await silence(Stage.PAUSED, phases=Phases(total_s=20.0), deadline=now() + 20.0)


@in_virtual_time
async def test_cancellation_from_outside_stays_a_cancellation() -> None:
    task = asyncio.get_running_loop().create_task(silence(Stage.FIRST))
    await asyncio.sleep(2.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


@in_virtual_time
async def test_cancelled_in_the_same_moment_as_its_time_is_up_it_stays_cancelled() -> None:
    task = asyncio.get_running_loop().create_task(silence(Stage.FIRST))
    asyncio.get_running_loop().call_at(6.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


@in_virtual_time
async def test_time_up_leaves_the_task_uncancelled() -> None:
    await time_up(Stage.FIRST)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(1.0)


@in_virtual_time
async def test_an_error_inside_goes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Watchdog(PHASES, FOREVER):
            raise ZeroDivisionError


@in_virtual_time
async def test_after_the_end_nothing_fires() -> None:
    async with Watchdog(PHASES, FOREVER) as watchdog:
        watchdog.enter(Stage.ANSWER)
    await asyncio.sleep(1000.0)


@in_virtual_time
async def test_in_the_moment_of_the_deadline_nothing_begins_any_more() -> None:
    began = False
    with pytest.raises(DeadlinePassed):
        async with Watchdog(PHASES, now()):
            began = True
    assert not began


async def paused(phases: Phases, deadline: float) -> AsyncGenerator[str, None]:
    """Hands on one thing, and is then read no more for a while."""
    async with Watchdog(phases, deadline) as watchdog:
        watchdog.enter(Stage.PAUSED)
        yield "read me"
        watchdog.enter(Stage.ANSWER)
        await asyncio.sleep(1.0)


async def read_after(seconds: float, phases: Phases, deadline: float) -> None:
    async with aclosing(paused(phases, deadline)) as things:
        async for _ in things:
            await asyncio.sleep(seconds)


@in_virtual_time
async def test_a_deadline_while_the_caller_does_not_read_is_told_as_one() -> None:
    with pytest.raises(DeadlinePassed):
        await read_after(100.0, PHASES, now() + 3.0)
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


@in_virtual_time
async def test_the_total_of_an_attempt_never_cancels_a_caller_that_does_not_read() -> None:
    phases = msgspec.structs.replace(PHASES, total_s=2.0)
    with pytest.raises(TimeUp) as caught:
        await read_after(50.0, phases, FOREVER)
    assert now() >= 50.0
    assert caught.value.failure is not None
    assert caught.value.failure.cause is Cause.TIMEOUT_TOTAL
