"""What a provider says about its limits tightens ours, and never loosens them."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.gateway.teacher import Teacher
from sidecar.limits.bucket import Bucket, Cost, Dimension
from sidecar.limits.memory import MemoryStore
from sidecar.limits.store import Candidate
from sidecar.testing.virtual import clock, in_virtual_time

REQUESTS = Bucket("deepseek/team/requests", "deepseek", Dimension.REQUESTS, 60, 60.0, 60)


class Lesson:
    """A teacher, its store, and one bucket that has been used once."""

    def __init__(self) -> None:
        self.store = MemoryStore(clock())
        self.teacher = Teacher(clock(), self.store)

    async def begin(self) -> Lesson:
        await self.store.take([Candidate("a1", (REQUESTS,))], Cost())
        return self

    @property
    def free(self) -> int:
        (state,) = self.store.snapshot()
        return state.free_now

    def ready_at(self) -> float:
        return self.store.ready_at(Candidate("a1", (REQUESTS,)), Cost())


@in_virtual_time
async def test_less_left_than_we_thought_is_believed() -> None:
    lesson = await Lesson().begin()
    headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "5"}
    lesson.teacher.answered([REQUESTS], headers, 0.1)
    assert lesson.free <= 5


@in_virtual_time
async def test_more_left_than_we_thought_is_not() -> None:
    lesson = await Lesson().begin()
    before = lesson.free
    headers = {"x-ratelimit-limit-requests": "9999", "x-ratelimit-remaining-requests": "9998"}
    lesson.teacher.answered([REQUESTS], headers, 0.1)
    assert lesson.free == before


@in_virtual_time
async def test_answers_that_say_nothing_of_limits_teach_nothing() -> None:
    lesson = await Lesson().begin()
    before = lesson.free
    lesson.teacher.answered([REQUESTS], {"content-type": "text/event-stream"}, 0.1)
    assert lesson.free == before


@in_virtual_time
async def test_a_429_shuts_the_bucket_for_as_long_as_it_says() -> None:
    lesson = await Lesson().begin()
    lesson.teacher.refused([REQUESTS], {"retry-after": "20"}, b"{}", 0.1)
    assert lesson.ready_at() == pytest.approx(20.0, abs=0.01)
    await asyncio.sleep(20.1)
    assert lesson.ready_at() <= clock().now() + 60.0


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<html>", b'{"error": 7}'])
@in_virtual_time
async def test_a_429_with_any_body_is_no_error_of_ours(body: bytes) -> None:
    lesson = await Lesson().begin()
    before = lesson.free
    lesson.teacher.refused([REQUESTS], {}, body, 0.1)
    assert lesson.free <= before
