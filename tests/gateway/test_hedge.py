"""A second attempt beside a late one: who speaks first wins, the other is cancelled and paid."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import pytest

from sidecar.core.events import AttemptBegan, AttemptCause, Event, Outcome, Reasoning
from sidecar.core.failure import RequestFailed
from sidecar.core.request import ReasoningOptions
from sidecar.failover.experience import ENOUGH
from sidecar.testing import written
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import MODEL, House, completed, settled_down
from tests.simulation.world import held

TRUE = written(0, 6, 8)
OTHER = written(0, 0, 12)
HEDGED = """
  hedged:
    targets: [deepseek/fake-reasoner-6-8, second/fake-12]
    retries: 0
    hedge: {after: AFTER, share: SHARE}
"""


def hedging(
    *faults: str, second: tuple[str, ...] = (), after: str = "1s", share: float = 1.0
) -> House:
    more = HEDGED.replace("AFTER", after).replace("SHARE", str(share))
    return House(*faults, second=second, more=more)


def began(events: list[Event]) -> list[AttemptBegan]:
    return [event for event in events if isinstance(event, AttemptBegan)]


def outcomes(events: list[Event]) -> list[tuple[AttemptCause, Outcome]]:
    return [(a.cause, a.outcome) for a in completed(events).attempts]


@in_virtual_time
async def test_the_second_wins_where_the_first_is_late() -> None:
    house = hedging("first-30")
    events = await house.ask("hedged")
    (only,) = began(events)
    assert (only.number, only.cause, only.provider) == (2, AttemptCause.HEDGE, "second")
    assert held(events)[0].answer == OTHER.answer
    assert outcomes(events) == [
        (AttemptCause.FIRST, Outcome.CANCELLED_HEDGE),
        (AttemptCause.HEDGE, Outcome.COMPLETED),
    ]
    assert completed(events).timings.total_s < 2.0
    house.judge()


@in_virtual_time
async def test_the_first_wins_where_it_speaks_before_the_hedge() -> None:
    house = hedging("first-2", second=("first-30",))
    events = await house.ask("hedged")
    assert [b.number for b in began(events)] == [1]
    assert held(events)[0].answer == TRUE.answer
    assert outcomes(events)[1] == (AttemptCause.HEDGE, Outcome.CANCELLED_HEDGE)
    house.judge()


@in_virtual_time
async def test_what_speaks_in_time_is_not_hedged() -> None:
    house = hedging("pause-3-5")
    assert len(completed(await house.ask("hedged")).attempts) == 1
    house.judge()


@in_virtual_time
async def test_hidden_reasoning_is_speaking_too() -> None:
    house = hedging("pause-3-5")
    events = await house.ask("hedged", reasoning=ReasoningOptions(deliver=False))
    assert len(completed(events).attempts) == 1


@in_virtual_time
async def test_where_the_first_fails_the_hedge_goes_on() -> None:
    house = hedging("keepalive-3-1+error-vllm-0", second=("first-5",))
    events = await house.ask("hedged")
    assert held(events)[0].answer in (OTHER.answer, TRUE.answer)
    house.judge()


@in_virtual_time
async def test_where_the_hedge_fails_the_first_goes_on() -> None:
    house = hedging("first-5", second=("http-500",))
    events = await house.ask("hedged")
    assert held(events)[0].answer == TRUE.answer
    assert outcomes(events)[1] == (AttemptCause.HEDGE, Outcome.FAILED)
    house.judge()


@in_virtual_time
async def test_where_both_fail_the_error_is_the_firsts() -> None:
    house = hedging("first-3+cut-0", second=("first-3+cut-0",))
    with suppress(RequestFailed):
        await house.ask("hedged")
    assert len(house.books.entries) >= 2
    house.judge()


@in_virtual_time
async def test_the_winner_may_break_later_and_is_saved_as_ever() -> None:
    house = hedging("first-30", second=("cut-6",))
    events = await house.ask("hedged")
    assert held(events)[0].answer == TRUE.answer
    assert [b.number for b in began(events)] == [2, 3]
    house.judge()


@in_virtual_time
async def test_at_most_the_share_of_requests_is_hedged() -> None:
    house = hedging(*["first-30"] * 100, share=0.1)
    await asyncio.gather(*(house.ask("hedged") for _ in range(40)))
    hedged = [e for e in house.books.entries if e.cause is AttemptCause.HEDGE]
    assert len(hedged) == 4
    house.judge()


@in_virtual_time
async def test_without_a_duration_late_is_what_the_target_was_seldom() -> None:
    house = hedging("", "first-30", after="p95")
    firsts = house.engine.parts.experience.of(f"deepseek/{MODEL}").firsts
    assert len(completed(await house.ask("hedged")).attempts) == 1
    for _ in range(ENOUGH):
        firsts.saw(0.5)
    last = completed(await house.ask("hedged"))
    assert len(last.attempts) == 2
    assert last.timings.total_s == pytest.approx(0.5 + 12 * 0.015, abs=0.1)
    house.judge()


@in_virtual_time
async def test_a_bound_on_the_cost_is_not_risked() -> None:
    house = hedging("first-3")
    events = await house.ask("hedged", max_cost_nano_usd=10**9)
    assert len(completed(events).attempts) == 1


@pytest.mark.parametrize("after_s", [0.5, 1.5, 3.0])
@in_virtual_time
async def test_a_caller_that_leaves_takes_both_with_it(after_s: float) -> None:
    house = hedging("first-30", second=("first-30",))

    async def read() -> None:
        async with aclosing(house.stream(house.request("hedged"))) as events:
            async for _ in events:
                pass

    reader = asyncio.create_task(read())
    await asyncio.sleep(after_s)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    await settled_down()
    assert {entry.outcome for entry in house.books.entries} == {Outcome.ABANDONED}
    assert len([t for t in asyncio.all_tasks() if t.get_name() in ("hedge", "attempt")]) == 0
    house.judge()


@in_virtual_time
async def test_a_deadline_ends_both() -> None:
    house = hedging("first-30", second=("first-30",))
    error = await house.failure("hedged", timeout_s=4.0)
    assert error.reason.value == "DEADLINE_EXCEEDED"
    assert len(house.books.entries) == 2
    house.judge()


@in_virtual_time
async def test_a_reader_that_does_not_read_holds_the_winner_back() -> None:
    house = hedging("first-30")
    async with aclosing(house.stream(house.request("hedged"))) as events:
        await anext(events)
        await asyncio.sleep(100.0)
        rest = [event async for event in events]
    assert not any(isinstance(event, Reasoning) for event in rest)
    assert completed(rest).attempts[1].outcome is Outcome.COMPLETED
    house.judge()


@in_virtual_time
async def test_an_attempt_given_up_before_any_answer_is_marked_as_unknown() -> None:
    house = hedging("silent-30")
    await house.ask("hedged")
    lost, won = sorted(house.books.entries, key=lambda entry: entry.attempt)
    assert (lost.outcome, lost.cost.total_nano_usd) == (Outcome.CANCELLED_HEDGE, 0)
    assert (lost.usage.estimated, won.usage.estimated) == (True, False)
    house.judge()
