"""The door: bounded, fair, and with nobody forgotten in it."""

from __future__ import annotations

import asyncio
import math
from contextlib import ExitStack

import pytest

from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.request import (
    Completion,
    Image,
    ImageUrl,
    Message,
    Priority,
    Request,
    Role,
    Text,
    ToolUse,
)
from sidecar.gateway.admission import Admission, held_bytes
from sidecar.testing.virtual import clock, in_virtual_time

Task = asyncio.Task[None]


def request(
    caller: str = "", priority: Priority = Priority.NORMAL, deadline: float = 1e9
) -> Request:
    completion = Completion("route", (), caller=caller, priority=priority)
    return Request("id", completion, deadline, clock().now())


class Queue:
    """Tasks that want the turn of one route, hold it for a second, and note their names."""

    def __init__(self, admission: Admission, hold_s: float = 1.0) -> None:
        self.admission = admission
        self.order: list[str] = []
        self.hold_s = hold_s

    async def turn(self, name: str, asked: Request, work_s: float) -> None:
        await self.admission.wait_turn("route", asked, work_s)
        try:
            self.order.append(name)
            await asyncio.sleep(self.hold_s)
        finally:
            self.admission.pass_turn("route")

    async def join(self, name: str, work_s: float = 1.0, **more: object) -> Task:
        """Stand in line now, behind everybody who already does."""
        task = asyncio.get_running_loop().create_task(
            self.turn(name, request(**more), work_s)  # type: ignore[arg-type]
        )
        await asyncio.sleep(0)
        return task


def admission(most_streams: int = 100, most_waiting: int = 100) -> Admission:
    return Admission(clock(), most_streams, most_waiting)


# -- inside ----------------------------------------------------------------------------------


@in_virtual_time
async def test_so_many_may_be_inside_and_one_more_is_turned_away() -> None:
    door = admission(most_streams=2)
    with door.enter(), door.enter():
        with pytest.raises(RequestFailed) as caught:
            door.enter().__enter__()
        assert caught.value.reason is Reason.QUEUE_FULL
        assert caught.value.retry_after_s is not None
    assert (door.active, door.total) == (0, 2)


@pytest.mark.parametrize(
    ("priority", "room"),
    [(Priority.BATCH, 80), (Priority.NORMAL, 95), (Priority.INTERACTIVE, 100)],
)
@in_virtual_time
async def test_what_can_wait_is_turned_away_first(priority: Priority, room: int) -> None:
    door = admission(most_streams=100)
    with ExitStack() as inside:
        for _ in range(room):
            inside.enter_context(door.enter(priority))
        with pytest.raises(RequestFailed) as caught:
            door.enter(priority).__enter__()
    assert caught.value.reason is Reason.QUEUE_FULL
    assert (door.shed, door.active) == (1, 0)


@in_virtual_time
async def test_a_single_place_is_anybodys() -> None:
    with admission(most_streams=1).enter(Priority.BATCH):
        pass


@in_virtual_time
async def test_prompts_fill_the_room_too() -> None:
    door = Admission(clock(), 100, 100, most_bytes=1000)
    with door.enter(Priority.NORMAL, 700):
        with pytest.raises(RequestFailed) as caught:
            door.enter(Priority.NORMAL, 300).__enter__()
        with door.enter(Priority.INTERACTIVE, 300):
            assert door.bytes == 1000
    assert "bytes of prompts" in caught.value.message
    assert door.bytes == 0


@in_virtual_time
async def test_a_single_request_is_never_too_large_for_an_empty_house() -> None:
    with Admission(clock(), 100, 100, most_bytes=10).enter(Priority.BATCH, 5000):
        pass


def test_a_request_is_as_large_as_what_it_holds() -> None:
    parts = Text("four"), Image(b"12345", "image/png"), ImageUrl("https://x")
    message = Message(Role.ASSISTANT, parts, reasoning="so", tool_calls=(ToolUse("", "", "{}"),))
    assert held_bytes(Completion("m", (message, message))) == 2 * (4 + 5 + 9 + 2 + 2)


@in_virtual_time
async def test_a_closed_door_says_that_the_daemon_is_leaving() -> None:
    door = admission()
    door.closed = True
    with pytest.raises(RequestFailed) as caught:
        door.enter().__enter__()
    assert caught.value.reason is Reason.DRAINING


@in_virtual_time
async def test_whoever_fails_inside_is_outside_again() -> None:
    door = admission()
    with pytest.raises(ZeroDivisionError), door.enter():
        raise ZeroDivisionError
    assert door.active == 0


@in_virtual_time
async def test_waiting_for_empty_ends_with_the_last_one() -> None:
    door = admission()

    async def stay(seconds: float) -> None:
        with door.enter():
            await asyncio.sleep(seconds)

    loop = asyncio.get_running_loop()
    stays = [loop.create_task(stay(2.0)), loop.create_task(stay(5.0))]
    await asyncio.sleep(0)
    await door.wait_empty(60.0)
    assert clock().now() == pytest.approx(5.0)
    await asyncio.gather(*stays)


@in_virtual_time
async def test_waiting_for_empty_gives_up_in_time() -> None:
    door = admission()
    with door.enter():
        await door.wait_empty(60.0)
    assert clock().now() == pytest.approx(60.0)


@in_virtual_time
async def test_an_empty_house_is_not_waited_for() -> None:
    await admission().wait_empty(60.0)
    assert clock().now() == 0.0


# -- turns -----------------------------------------------------------------------------------


@in_virtual_time
async def test_one_caller_is_served_first_in_first_out() -> None:
    queue = Queue(admission())
    tasks = [await queue.join(str(number)) for number in range(6)]
    await asyncio.gather(*tasks)
    assert queue.order == list("012345")
    assert clock().now() == pytest.approx(6.0)


@in_virtual_time
async def test_two_callers_take_turns_however_many_one_of_them_sends() -> None:
    queue = Queue(admission())
    tasks = [await queue.join(f"loud{number}", caller="loud") for number in range(5)]
    tasks += [await queue.join(f"calm{number}", caller="calm") for number in range(2)]
    await asyncio.gather(*tasks)
    assert queue.order.index("calm0") <= 2
    assert queue.order.index("calm1") <= 4


@in_virtual_time
async def test_a_higher_priority_goes_before_everybody_who_waits() -> None:
    queue = Queue(admission())
    tasks = [await queue.join(name, priority=Priority.BATCH) for name in ("head", "late")]
    tasks.append(await queue.join("urgent", priority=Priority.INTERACTIVE))
    await asyncio.gather(*tasks)
    assert queue.order == ["head", "urgent", "late"]


@in_virtual_time
async def test_routes_do_not_wait_for_each_other() -> None:
    door = admission()
    await door.wait_turn("one", request(), 1.0)
    await door.wait_turn("other", request(), 1.0)
    assert set(door.waiting()) == {"one", "other"}


@in_virtual_time
async def test_a_full_queue_turns_away_at_once() -> None:
    queue = Queue(admission(most_waiting=2))
    tasks = [await queue.join(str(number)) for number in range(3)]
    with pytest.raises(RequestFailed) as caught:
        await queue.turn("one too many", request(), 1.0)
    assert caught.value.reason is Reason.QUEUE_FULL
    await asyncio.gather(*tasks)
    assert queue.order == list("012")


@in_virtual_time
async def test_the_deadline_may_pass_in_the_queue() -> None:
    queue = Queue(admission(), hold_s=10.0)
    head = await queue.join("head")
    with pytest.raises(RequestFailed) as caught:
        await queue.turn("late", request(deadline=4.0), 1.0)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert clock().now() == pytest.approx(4.0)
    await head


@in_virtual_time
async def test_whoever_gave_up_is_passed_over() -> None:
    queue = Queue(admission())
    head, gone, next_one = [await queue.join(name) for name in ("head", "gone", "next")]
    gone.cancel()
    await asyncio.gather(head, next_one)
    assert queue.order == ["head", "next"]


@in_virtual_time
async def test_cancelled_in_the_moment_of_its_turn_it_hands_the_turn_on() -> None:
    door = admission()
    queue = Queue(door)
    await door.wait_turn("route", request(), 1.0)
    gone, next_one = [await queue.join(name) for name in ("gone", "next")]
    door.pass_turn("route")  # it is the turn of `gone`, which has not run since
    gone.cancel()
    await asyncio.wait_for(next_one, 10.0)
    assert queue.order == ["next"]


@in_virtual_time
async def test_the_deadline_in_the_moment_of_its_turn_hands_the_turn_on() -> None:
    queue = Queue(admission(), hold_s=4.0)
    head = await queue.join("head")
    late, next_one = await queue.join("late", deadline=4.0), await queue.join("next")
    await asyncio.gather(head, late, next_one, return_exceptions=True)
    assert queue.order[-1] == "next"


@pytest.mark.parametrize("how", ["served", "cancelled", "cancelled at its turn"])
@in_virtual_time
async def test_a_line_with_nobody_in_it_is_forgotten(how: str) -> None:
    door = admission()
    queue = Queue(door)
    await door.wait_turn("route", request(), 1.0)
    last = await queue.join("last")
    if how == "cancelled":
        last.cancel()
        await asyncio.sleep(0)
    door.pass_turn("route")
    if how == "cancelled at its turn":
        last.cancel()
    await asyncio.gather(last, return_exceptions=True)
    assert door.waiting() == {}


@in_virtual_time
async def test_people_see_how_many_wait_and_since_when() -> None:
    door = admission()
    queue = Queue(door, hold_s=100.0)
    await queue.join("head")
    assert door.waiting() == {"route": (0, math.inf)}
    await asyncio.sleep(7.0)
    await queue.join("first")
    await asyncio.sleep(2.0)
    await queue.join("second")
    assert door.waiting() == {"route": (2, 7.0)}
