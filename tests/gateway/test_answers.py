"""Answers given again: only where the caller asked, only to equal requests, at no cost."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.cache.store import memory_cache
from sidecar.core.events import AttemptBegan, Completed, Event
from sidecar.core.money import FREE
from sidecar.core.request import CachePolicy, OnInterruption, Priority, ReasoningOptions
from sidecar.core.usage import NOTHING
from sidecar.testing import written
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import House, completed
from tests.simulation.world import held

BOTH = CachePolicy(read=True, write=True, ttl_s=60.0)
READ = CachePolicy(read=True)
WRITE = CachePolicy(write=True, ttl_s=60.0)
TRUE = written(0, 6, 8)


def text(events: list[Event]) -> tuple[str, str]:
    transcript, _ = held(events)
    return transcript.reasoning, transcript.answer


async def cached(house: House, **more: object) -> bool:
    return completed(await house.ask(**more)).cached  # type: ignore[arg-type]


@in_virtual_time
async def test_an_equal_request_gets_the_answer_again_for_nothing() -> None:
    house = House()
    bought = await house.ask(cache=BOTH)
    again = await house.ask(cache=BOTH)
    last = completed(again)
    assert text(again) == text(bought) == (TRUE.reasoning, TRUE.answer)
    assert (last.cached, last.usage, last.cost, last.attempts) == (True, NOTHING, FREE, ())
    assert last.finish_reason is completed(bought).finish_reason
    assert len(house.books.entries) == 1


@in_virtual_time
async def test_what_is_given_again_has_the_shape_of_a_stream() -> None:
    house = House("cut-answer-5")
    await house.ask(cache=BOTH)
    again = await house.ask(cache=BOTH)
    assert isinstance(again[0], AttemptBegan)
    assert (again[0].number, again[0].discard_after_sequence, again[0].key_alias) == (1, 0, "")
    assert [type(event) for event in again].count(Completed) == 1
    assert completed(again).saved.nano_usd == 0


@pytest.mark.parametrize(
    ("first", "second", "hit"),
    [(BOTH, BOTH, True), (WRITE, READ, True), (READ, READ, False), (WRITE, WRITE, False),
     (CachePolicy(), READ, False), (WRITE, CachePolicy(), False)],
)  # fmt: skip
@in_virtual_time
async def test_reading_and_writing_are_the_callers_to_choose(
    first: CachePolicy, second: CachePolicy, hit: bool
) -> None:
    house = House()
    assert not await cached(house, cache=first)
    assert await cached(house, cache=second) == hit


@pytest.mark.parametrize(
    "who",
    [
        {"caller": "somebody else"},
        {"labels": (("team", "b"),)},
        {"priority": Priority.BATCH},
        {"on_interruption": OnInterruption.FAIL},
        {"max_cost_nano_usd": 10**12},
        {"cache": CachePolicy(read=True, ttl_s=1.0)},
    ],
)
@in_virtual_time
async def test_who_asks_and_how_urgently_makes_no_other_request(who: dict[str, object]) -> None:
    house = House()
    await house.ask(cache=BOTH)
    assert await cached(house, **{"cache": READ, **who})


@pytest.mark.parametrize(
    "what",
    [
        {"route": "both"},
        {"temperature": 0.5},
        {"max_tokens": 1000},
        {"seed": 7},
        {"stop": ("x",)},
        {"reasoning": ReasoningOptions(deliver=False)},
        {"provider_options": {"x": 1}},
    ],
)
@in_virtual_time
async def test_asking_for_something_else_is_another_request(what: dict[str, object]) -> None:
    house = House()
    await house.ask(cache=BOTH)
    assert not await cached(house, **{"cache": READ, **what})


@in_virtual_time
async def test_excluded_reasoning_stays_excluded_when_given_again() -> None:
    house = House()
    options = ReasoningOptions(deliver=False)
    await house.ask(cache=BOTH, reasoning=options)
    again = await house.ask(cache=BOTH, reasoning=options)
    assert completed(again).cached
    assert text(again) == ("", TRUE.answer)


@in_virtual_time
async def test_an_answer_lives_as_long_as_its_caller_said() -> None:
    house = House()
    await house.ask(cache=BOTH)
    await asyncio.sleep(59.0)
    assert await cached(house, cache=READ)
    await asyncio.sleep(2.0)
    assert not await cached(house, cache=READ)


@in_virtual_time
async def test_a_stream_that_was_never_whole_is_not_kept() -> None:
    house = House("cut-answer-5")
    await house.failure(cache=BOTH, on_interruption=OnInterruption.FAIL)
    assert not await cached(house, cache=READ)


@in_virtual_time
async def test_what_was_put_together_from_two_attempts_is_kept_as_one() -> None:
    house = House("cut-reasoning-4")
    await house.ask(cache=BOTH)
    assert text(await house.ask(cache=READ)) == (TRUE.reasoning, TRUE.answer)


@in_virtual_time
async def test_another_pod_with_the_same_cache_answers_too() -> None:
    cache = memory_cache()
    await House(cache=cache).ask(cache=BOTH)
    assert await cached(House(cache=cache), cache=READ)
