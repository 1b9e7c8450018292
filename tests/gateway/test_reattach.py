"""One stream and several pods that share a cache: read along, taken over, never run twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from sidecar.cache.store import Cache, memory_cache
from sidecar.core.events import Answer, AttemptBegan, AttemptCause, Continuation, Event
from sidecar.core.failure import Reason, RequestFailed
from sidecar.gateway.journal import JournalPolicy, Journals
from sidecar.gateway.scribe import MOST_UNWRITTEN, WRITE_EVERY_S
from sidecar.gateway.shelf import LEASE_S, ORPHAN_S
from sidecar.testing.virtual import clock, in_virtual_time

POLICY = JournalPolicy(keep_s=300.0, linger_s=30.0)


def began(number: int, discard_after: int = 0, how: Continuation = Continuation.FRESH) -> Event:
    return AttemptBegan(number, "p", "m", "k", AttemptCause.FIRST, how, "", discard_after, 0.0)


WORDS: list[Event] = [began(1), *(Answer(f"word {number} ") for number in range(60))]


class Line:
    """The way from one pod to the common cache; it can be cut."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.cut = False

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._cache._backend, name)

        async def ask(*args: Any, **more: Any) -> Any:
            if self.cut:
                raise ConnectionError
            return await asked(*args, **more)

        return ask


class Pod:
    """A pod with its journals. `words` is what its gateway would say, one a second."""

    def __init__(self, common: Cache, words: Sequence[Event] = WORDS, pace_s: float = 1.0) -> None:
        self.line = Line(common)
        self.journals = Journals(clock(), POLICY, Cache(self.line, shared=True))
        self.words = words
        self.pace_s = pace_s
        self.begun = 0
        self.past: Sequence[Event] = ()
        self.closed = False

    async def __call__(self, past: Sequence[Event]) -> AsyncGenerator[Event, None]:
        self.begun += 1
        self.past = past
        try:
            for event in self.words:
                await asyncio.sleep(self.pace_s)
                yield event
        finally:
            self.closed = True

    async def read(self, after: int = 0, most: int = 1000, digest: bytes = b"d") -> list[Event]:
        out: list[Event] = []
        events = self.journals.attach("id", digest, after, self)
        try:
            async for event in events:
                out.append(event)
                if len(out) >= most:
                    break
        finally:
            await events.aclose()
        return out

    def freeze(self) -> None:
        """As killed: it says nothing to anybody any more."""
        self.line.cut = True
        journal = self.journals._journals["id"]
        assert journal.task is not None
        journal.task.cancel()


def common() -> Cache:
    return memory_cache()


def text_of(events: Sequence[Event]) -> str:
    """What a client that knows the seam rule holds."""
    kept: list[tuple[int, str]] = []
    for sequence, event in enumerate(events, 1):
        if isinstance(event, AttemptBegan):
            kept = [pair for pair in kept if pair[0] <= event.discard_after_sequence]
        elif isinstance(event, Answer):
            kept.append((sequence, event.text))
    return "".join(text for _, text in kept)


@in_virtual_time
async def test_a_running_stream_is_read_along_on_another_pod() -> None:
    cache = common()
    here, there = Pod(cache), Pod(cache)
    first = asyncio.create_task(here.read())
    await asyncio.sleep(10.5)
    assert await there.read() == WORDS
    assert await first == WORDS
    assert (here.begun, there.begun) == (1, 0)


@in_virtual_time
async def test_it_is_read_along_from_where_the_caller_stands() -> None:
    cache = common()
    here, there = Pod(cache), Pod(cache)
    held = await here.read(most=7)
    assert held + await there.read(after=7) == WORDS


@in_virtual_time
async def test_reading_along_is_not_far_behind() -> None:
    cache = common()
    here, there = Pod(cache), Pod(cache)
    first = asyncio.create_task(here.read())
    await asyncio.sleep(0.5)
    assert len(await there.read(most=5)) == 5
    assert clock().now() <= 5.0 + 2 * WRITE_EVERY_S
    first.cancel()
    await here.journals.aclose()


@in_virtual_time
async def test_a_reader_elsewhere_keeps_the_stream_alive() -> None:
    cache = common()
    here, there = Pod(cache, WORDS * 2), Pod(cache)
    await here.read(most=1)
    assert len(await there.read(after=1)) == 2 * len(WORDS) - 1
    assert clock().now() > 3 * POLICY.linger_s


@in_virtual_time
async def test_without_readers_anywhere_it_is_given_up_and_everybody_hears_that() -> None:
    cache = common()
    here, there = Pod(cache, WORDS * 3), Pod(cache)
    await here.read(most=1)
    await asyncio.sleep(2 * POLICY.linger_s)
    assert here.closed
    with pytest.raises(RequestFailed) as caught:
        await there.read(after=1)
    assert caught.value.reason is Reason.NOT_REPLAYABLE
    assert there.begun == 0


@in_virtual_time
async def test_another_request_with_the_id_is_refused_on_every_pod() -> None:
    cache = common()
    here, there = Pod(cache), Pod(cache)
    first = asyncio.create_task(here.read())
    await asyncio.sleep(5.5)
    with pytest.raises(RequestFailed) as caught:
        await there.read(digest=b"other")
    assert "different request" in caught.value.message
    assert await first == WORDS


@in_virtual_time
async def test_a_killed_pods_stream_is_taken_over_within_its_lease() -> None:
    cache = common()
    here = Pod(cache)
    there = Pod(cache, [began(101, 999, Continuation.RESUMED), Answer("the rest")])
    held = await here.read(most=20)
    here.freeze()
    cut_at = clock().now()
    rest = await there.read(after=20)
    assert clock().now() - cut_at <= LEASE_S + 5.0
    assert len([event for event in there.past if event in WORDS]) >= 20 - 1
    assert text_of(held + rest).endswith("the rest")
    assert (here.begun, there.begun) == (1, 1)


@pytest.mark.parametrize("pace_s", [0.003, 0.05, 0.3])
@in_virtual_time
async def test_what_the_killed_pod_had_not_written_is_taken_back(pace_s: float) -> None:
    cache = common()
    here = Pod(cache, WORDS * 9, pace_s)
    there = Pod(cache, [began(101, 9999, Continuation.RESUMED), Answer("#")])
    held = await here.read(most=300)
    here.freeze()
    rest = await there.read(after=300)
    kept = [event for event in there.past if event != Answer("")]
    assert len(there.past) - len(kept) == MOST_UNWRITTEN
    assert 300 - MOST_UNWRITTEN <= len(kept) <= 301
    assert text_of(held + rest) == text_of(kept) + "#"


@in_virtual_time
async def test_a_caller_far_behind_reads_the_same_text() -> None:
    cache = common()
    here = Pod(cache)
    there = Pod(cache, [began(101, 999, Continuation.RESUMED), Answer("#")])
    held = await here.read(most=30)
    here.freeze()
    near, far = await there.read(after=30), await there.read(after=3)
    assert text_of(held + near) == text_of(held[:3] + far)
    assert there.begun == 1


@in_virtual_time
async def test_a_pod_killed_before_it_wrote_anything_costs_the_beginning_again() -> None:
    cache = common()
    here = Pod(cache, WORDS, 0.01)
    there = Pod(cache, [began(101, 999), Answer("#")])
    held = await here.read(most=20)
    here.freeze()
    rest = await there.read(after=20)
    assert text_of(held + rest) == "#"


@in_virtual_time
async def test_a_second_loss_is_survived_too() -> None:
    cache = common()
    words = [began(101, 999, Continuation.RESUMED), *(Answer(f"more {n} ") for n in range(20))]
    pods = Pod(cache), Pod(cache, words), Pod(cache, [began(201, 999, Continuation.RESUMED)])
    held = await pods[0].read(most=20)
    pods[0].freeze()
    held += await pods[1].read(after=20, most=80)
    pods[1].freeze()
    held += await pods[2].read(after=len(held))
    text = text_of(held)
    assert text.startswith("word 0 word 1 ")
    assert "more 0 more 1 " in text
    assert text.count("word 5 ") == 1


@in_virtual_time
async def test_a_pod_that_was_only_cut_off_serves_its_own_and_spoils_nothing() -> None:
    cache = common()
    here = Pod(cache)
    there = Pod(cache, [began(101, 999, Continuation.RESUMED), Answer("#")])
    first = asyncio.create_task(here.read())
    await asyncio.sleep(20.5)
    here.line.cut = True
    theirs = await there.read()
    here.line.cut = False
    assert await first == WORDS
    await asyncio.sleep(1.0)
    assert text_of(await Pod(cache).read()) == text_of(theirs)


@in_virtual_time
async def test_a_pod_that_drains_hands_its_streams_over_at_once() -> None:
    cache = common()
    here = Pod(cache)
    there = Pod(cache, [began(101, 999, Continuation.RESUMED), Answer("#")])
    held = await here.read(most=20)
    await here.journals.aclose()
    ended_at = clock().now()
    rest = await there.read(after=20)
    assert clock().now() - ended_at <= 2.0
    assert text_of(held + rest).endswith("#")


@in_virtual_time
async def test_a_stream_whose_last_word_was_written_is_whole_without_its_pod() -> None:
    cache = common()
    here, there = Pod(cache), Pod(cache)
    await here.read()
    await asyncio.sleep(0.1)
    assert await there.read(after=3) == WORDS[3:]
    assert there.begun == 0


@in_virtual_time
async def test_without_the_cache_a_request_is_served_all_the_same() -> None:
    pod = Pod(common())
    pod.line.cut = True
    assert await pod.read() == WORDS


@in_virtual_time
async def test_a_cache_that_goes_away_in_mid_stream_holds_nothing_up() -> None:
    pod = Pod(common(), WORDS * 5, 0.01)
    reading = asyncio.create_task(pod.read())
    await asyncio.sleep(0.5)
    pod.line.cut = True
    assert await reading == WORDS * 5
    assert clock().now() < 10.0


@in_virtual_time
async def test_a_finished_stream_leaves_one_key() -> None:
    cache = common()
    pod = Pod(cache)
    await pod.read()
    await asyncio.sleep(1.0)
    assert list(cache._backend._cache) == ["stream:id"]  # type: ignore[attr-defined]


@in_virtual_time
async def test_what_nobody_took_over_is_forgotten() -> None:
    cache = common()
    pod = Pod(cache)
    await pod.read(most=20)
    pod.freeze()
    await asyncio.sleep(ORPHAN_S + 1.0)
    assert not cache._backend._cache  # type: ignore[attr-defined]
