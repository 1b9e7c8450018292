"""Re-attaching: one stream, however many connections it takes to read it; one bill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from sidecar.cache.store import Cache, memory_cache
from sidecar.core.events import Answer, Event
from sidecar.core.failure import Reason, RequestFailed
from sidecar.gateway.journal import MOST_AHEAD, JournalPolicy, Journals
from sidecar.testing.virtual import clock, in_virtual_time

POLICY = JournalPolicy(keep_s=300.0, linger_s=30.0, most=3)
WORDS: list[Event] = [Answer(f"word {number} ") for number in range(10)]


class Source:
    """What the gateway would stream: one event a second; counts how often it was begun."""

    def __init__(
        self,
        events: list[Event] = WORDS,
        error: BaseException | None = None,
        pace_s: float = 1.0,
    ) -> None:
        self.events = events
        self.error = error
        self.pace_s = pace_s
        self.begun = self.given = 0
        self.closed = False
        self.past: Sequence[Event] = ()

    async def __call__(self, past: Sequence[Event]) -> AsyncGenerator[Event, None]:
        self.begun += 1
        self.past = past
        try:
            for event in self.events:
                await asyncio.sleep(self.pace_s)
                self.given += 1
                yield event
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


def journals(cache: Cache | None = None, policy: JournalPolicy = POLICY) -> Journals:
    return Journals(clock(), policy, cache or memory_cache())


async def read(
    of: Journals, source: Source, after: int = 0, most: int = 1000, digest: bytes = b"d"
) -> list[Event]:
    out: list[Event] = []
    events = of.attach("id", digest, after, source)
    try:
        async for event in events:
            out.append(event)
            if len(out) >= most:
                break
    finally:
        await events.aclose()
    return out


async def refusal(of: Journals, source: Source, **more: object) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        await read(of, source, **more)  # type: ignore[arg-type]
    return caught.value


@in_virtual_time
async def test_one_reader_gets_everything() -> None:
    assert await read(journals(), Source()) == WORDS


@in_virtual_time
async def test_a_reader_that_comes_back_goes_on_where_it_was() -> None:
    of, source = journals(), Source()
    first = await read(of, source, most=3)
    await asyncio.sleep(4.0)
    assert first + await read(of, source, after=3) == WORDS
    assert source.begun == 1


@in_virtual_time
async def test_two_readers_share_one_stream() -> None:
    of, source = journals(), Source()
    both = await asyncio.gather(read(of, source), read(of, source))
    assert both == [WORDS, WORDS]
    assert source.begun == 1


@in_virtual_time
async def test_a_finished_stream_is_replayed_from_the_cache_for_its_time() -> None:
    of, source = journals(), Source()
    await read(of, source)
    await asyncio.sleep(299.0)
    assert len(of) == 0
    assert await read(of, source, after=4) == WORDS[4:]
    assert source.begun == 1


@in_virtual_time
async def test_after_that_time_the_id_is_free_again() -> None:
    of, source = journals(), Source()
    await read(of, source)
    await asyncio.sleep(301.0)
    assert (await refusal(of, source, after=4)).reason is Reason.NOT_REPLAYABLE
    assert await read(of, source) == WORDS
    assert source.begun == 2


@in_virtual_time
async def test_another_pod_with_the_same_cache_replays_it() -> None:
    cache, source = memory_cache(), Source()
    await read(journals(cache), source)
    await asyncio.sleep(1.0)
    assert await read(journals(cache), source, after=9) == WORDS[9:]
    assert source.begun == 1


@in_virtual_time
async def test_after_the_last_event_there_is_nothing_more() -> None:
    of, source = journals(), Source()
    await read(of, source)
    assert await read(of, source, after=10) == []


@pytest.mark.parametrize("after", [5, 11, 1000])
@in_virtual_time
async def test_beyond_what_there_is_nothing_can_be_joined(after: int) -> None:
    of, source = journals(), Source()
    await read(of, source, most=2)
    assert (await refusal(of, source, after=after)).reason is Reason.NOT_REPLAYABLE


@in_virtual_time
async def test_joining_what_never_was_begins_nothing() -> None:
    source = Source()
    assert (await refusal(journals(), source, after=1)).reason is Reason.NOT_REPLAYABLE
    assert source.begun == 0


@pytest.mark.parametrize("finished", [False, True])
@in_virtual_time
async def test_an_id_belongs_to_one_request(finished: bool) -> None:
    of, source = journals(), Source()
    await read(of, source, most=1000 if finished else 2)
    error = await refusal(of, source, digest=b"other")
    assert error.reason is Reason.NOT_REPLAYABLE
    assert "different request" in error.message


@in_virtual_time
async def test_a_failed_stream_fails_alike_for_everybody_who_reads_it() -> None:
    of = journals()
    source = Source(error=RequestFailed(Reason.STREAM_BROKEN, "broken", metadata={"a": "b"}))
    errors = [
        await refusal(of, source),
        await refusal(of, source),
        await refusal(of, source, after=9),
    ]
    assert {(e.reason, e.message, e.metadata["a"]) for e in errors} == {
        (Reason.STREAM_BROKEN, "broken", "b")
    }
    assert source.begun == 1


@in_virtual_time
async def test_what_said_try_again_later_may_be_tried_again() -> None:
    of = journals()
    error = RequestFailed(Reason.QUEUE_FULL, "full", retry_after_s=1.0)
    source = Source([], error)
    await refusal(of, source)
    source.events, source.error = WORDS, None
    assert await read(of, source) == WORDS
    assert source.begun == 2


@in_virtual_time
async def test_a_stream_that_nobody_reads_runs_on_for_a_while() -> None:
    of, source = journals(), Source()
    await read(of, source, most=1)
    await asyncio.sleep(25.0)
    assert source.given == 10


@in_virtual_time
async def test_then_it_is_given_up() -> None:
    of, source = journals(), Source(WORDS * 20)
    await read(of, source, most=1)
    await asyncio.sleep(60.0)
    assert source.closed
    assert 25 <= source.given <= 40
    assert len(of) == 0
    assert (await refusal(of, source, after=1)).reason is Reason.NOT_REPLAYABLE


@in_virtual_time
async def test_a_reader_in_time_keeps_it_alive() -> None:
    of, source = journals(), Source(WORDS * 10)
    held = await read(of, source, most=1)
    for _ in range(4):
        await asyncio.sleep(20.0)
        held += await read(of, source, after=len(held), most=5)
    assert held + await read(of, source, after=len(held)) == WORDS * 10


@in_virtual_time
async def test_a_slow_reader_holds_the_stream_back() -> None:
    big = [Answer("x" * (MOST_AHEAD // 4)) for _ in range(20)]
    of, source = journals(), Source(list(big), pace_s=0.001)
    events = of.attach("id", b"d", 0, source)
    await anext(events)
    await asyncio.sleep(20.0)
    assert source.given <= 7
    assert len([event async for event in events]) == 19
    assert source.given == 20


@in_virtual_time
async def test_what_counts_is_the_memory_and_not_the_letters() -> None:
    tokens = [Answer(f" {number:03}") for number in range(5_000)]
    of, source = journals(), Source(list(tokens), pace_s=0.001)
    events = of.attach("id", b"d", 0, source)
    await anext(events)
    await asyncio.sleep(20.0)
    # A list's place, an object and its text: 110 bytes, of which 4 are letters.
    assert source.given <= 2_600
    assert of.kept_bytes >= 100 * source.given
    assert len([event async for event in events]) == 4_999


@in_virtual_time
async def test_once_the_slow_reader_left_the_stream_goes_on() -> None:
    big = [Answer("x" * (MOST_AHEAD // 4)) for _ in range(20)]
    of, source = journals(), Source(list(big), pace_s=0.001)
    events = of.attach("id", b"d", 0, source)
    await anext(events)
    await asyncio.sleep(1.0)
    await events.aclose()
    await asyncio.sleep(1.0)
    assert source.given == 20


@in_virtual_time
async def test_so_many_streams_run_at_once_and_no_more() -> None:
    of = journals()
    sources = [Source() for _ in range(4)]
    running = [of.attach(f"id-{number}", b"d", 0, one) for number, one in enumerate(sources)]
    for events in running[:3]:
        await anext(events)
    with pytest.raises(RequestFailed) as caught:
        await anext(running[3])
    assert caught.value.reason is Reason.QUEUE_FULL
    for events in running:
        await events.aclose()
    await of.aclose()


@in_virtual_time
async def test_a_fault_of_ours_ends_every_reader_and_is_not_swallowed() -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    of, source = journals(), Source(WORDS[:2], ZeroDivisionError("ours"))
    error = await refusal(of, source)
    assert error.reason is Reason.INTERNAL
    assert "ours" not in error.message
    assert len(of) == 0


@in_virtual_time
async def test_shutting_down_ends_streams_and_tells_their_readers() -> None:
    of, source = journals(), Source()
    reader = asyncio.get_running_loop().create_task(refusal(of, source))
    await asyncio.sleep(3.5)
    await of.aclose()
    assert source.closed
    assert (await reader).reason is Reason.DRAINING
    assert len(of) == 0


@in_virtual_time
async def test_a_stream_that_had_not_even_begun_ends_too() -> None:
    of, source = journals(), Source()
    events = of.attach("id", b"d", 0, source)
    reader = asyncio.get_running_loop().create_task(anext(events))
    for _ in range(3):  # as far as the journal, not as far as its task
        if len(of):
            break
        await asyncio.sleep(0)
    await of.aclose()
    with pytest.raises(RequestFailed) as caught:
        await asyncio.wait_for(reader, 1.0)
    assert caught.value.reason is Reason.DRAINING


@in_virtual_time
async def test_bytes_that_are_no_journal_are_a_miss() -> None:
    cache, source = memory_cache(), Source()
    await cache.set("stream:id", b"\x93of another version", 60.0)
    assert await read(journals(cache), source) == WORDS
