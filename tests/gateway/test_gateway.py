"""A request from beginning to end: what the caller gets, and what is settled on every way out."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from sidecar.core.events import (
    Answer,
    AttemptBegan,
    AttemptCause,
    Completed,
    Continuation,
    Event,
    FinishReason,
    Outcome,
    Reasoning,
)
from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.request import (
    Completion,
    Image,
    Message,
    OnInterruption,
    ReasoningOptions,
    Role,
    Text,
    ToolUse,
)
from sidecar.failover.experience import ENOUGH
from sidecar.gateway.gateway import IMAGE_BYTES, input_bytes
from sidecar.testing import written
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import MODEL, House, collected, completed, settled_down
from tests.simulation.world import held

TRUE = written(0, 6, 8)
OTHER = written(0, 0, 12)
LIMITS = "{requests: 600, per: 60s, burst: 60}, {concurrency: 5}"


def began(events: list[Event]) -> list[AttemptBegan]:
    return [event for event in events if isinstance(event, AttemptBegan)]


def text(events: list[Event]) -> tuple[str, str]:
    transcript, _ = held(events)
    return transcript.reasoning, transcript.answer


def outcomes(house: House) -> list[tuple[str, str]]:
    return [(entry.outcome.value, entry.reason) for entry in house.books.entries]


# -- what the caller gets --------------------------------------------------------------------


@in_virtual_time
async def test_a_healthy_stream_is_an_attempt_its_deltas_and_completed() -> None:
    house = House(limits=LIMITS)
    events = await house.ask()
    assert isinstance(events[0], AttemptBegan)
    assert {type(event) for event in events[1:-1]} == {Reasoning, Answer}
    assert text(events) == (TRUE.reasoning, TRUE.answer)
    assert completed(events).finish_reason is FinishReason.STOP
    house.judge()


@in_virtual_time
async def test_completed_tells_usage_cost_and_times_of_the_whole() -> None:
    house = House()
    last = completed(await house.ask())
    assert (last.usage.output_tokens, last.usage.reasoning_tokens) == (14, 6)
    assert last.cost == house.first.bill.total.cost
    assert len(last.attempts) == 1
    times = last.timings
    assert times.first_reasoning_s is not None
    assert times.first_answer_s is not None
    assert 0 < times.first_reasoning_s < times.first_answer_s < times.total_s
    assert not last.cached


@in_virtual_time
async def test_a_stream_that_comes_in_one_read_tells_its_first_tokens_too() -> None:
    house = House(*["ms-0"] * ENOUGH)
    for _ in range(ENOUGH):
        times = completed(await house.ask()).timings
        assert times.first_reasoning_s is not None
        assert times.first_answer_s is not None
    assert all(entry.first_answer_s is not None for entry in house.books.entries)
    firsts = house.engine.parts.experience.of(f"deepseek/{MODEL}").firsts
    assert firsts.quantile(0.5) is not None


@in_virtual_time
async def test_what_failed_before_its_first_word_is_not_in_the_stream_but_in_the_summary() -> None:
    house = House("http-500")
    events = await house.ask()
    assert [(b.number, b.cause, b.reason) for b in began(events)] == [
        (2, AttemptCause.RETRY, "PROVIDER_ERROR")
    ]
    summaries = completed(events).attempts
    assert [a.outcome for a in summaries] == [Outcome.FAILED, Outcome.COMPLETED]
    house.judge()


@in_virtual_time
async def test_cut_in_its_reasoning_the_stream_goes_on_from_there() -> None:
    house = House("cut-reasoning-4")
    events = await house.ask()
    assert [b.continuation for b in began(events)] == [Continuation.FRESH, Continuation.RESUMED]
    assert text(events) == (TRUE.reasoning, TRUE.answer)
    assert completed(events).saved.reasoning_tokens > 0
    house.judge()


@in_virtual_time
async def test_cut_in_its_answer_the_stream_goes_on_from_there() -> None:
    house = House("cut-answer-5")
    events = await house.ask()
    assert began(events)[-1].continuation is Continuation.RESUMED
    assert text(events) == (TRUE.reasoning, TRUE.answer)
    house.judge()


@pytest.mark.parametrize("way", ["echo", "restart", "depart", "refuse"])
@in_virtual_time
async def test_however_a_target_takes_a_prefix_the_text_is_exact(way: str) -> None:
    house = House("cut-answer-6", f"prefix-{way}")
    assert text(await house.ask()) == (TRUE.reasoning, TRUE.answer)
    house.judge()


@in_virtual_time
async def test_a_doubt_costs_an_attempt_and_the_target_its_name_no_more_than_that() -> None:
    """What begins with a capital in mid-sentence may be the second half of a name."""
    house = House("cut-answer-6", "prefix-depart", "", "cut-answer-6", "")
    await house.ask()
    events = await house.ask()
    assert began(events)[-1].continuation is Continuation.RESUMED
    assert text(events) == (TRUE.reasoning, TRUE.answer)
    house.judge()


@in_virtual_time
async def test_a_target_that_cannot_resume_begins_anew_and_says_so() -> None:
    house = House("cut-answer-5", "http-503", "http-503")
    events = await house.ask("both")
    assert began(events)[-1].continuation is Continuation.RESTARTED
    assert began(events)[-1].discard_after_sequence == 0
    assert text(events) == ("", OTHER.answer)
    house.judge()


@in_virtual_time
async def test_excluded_reasoning_is_paid_for_and_not_sent() -> None:
    house = House()
    events = await house.ask(reasoning=ReasoningOptions(deliver=False))
    assert text(events) == ("", TRUE.answer)
    assert completed(events).usage.reasoning_tokens == 6
    house.judge()


@in_virtual_time
async def test_a_missing_end_mark_after_the_finish_reason_is_no_failure() -> None:
    house = House("no-done")
    assert text(await house.ask()) == (TRUE.reasoning, TRUE.answer)
    assert outcomes(house) == [("completed", "")]
    house.judge()


@in_virtual_time
async def test_a_callers_own_prefill_that_is_refused_is_the_callers_to_change() -> None:
    """Nobody's prefix but the caller's: asking again would bring the same refusal for ever."""
    house = House("prefix-refuse", "prefix-refuse", "prefix-refuse")
    request = house.request()
    turns = (*request.completion.messages, Message(Role.ASSISTANT, (Text("So I begin"),)))
    completion = Completion("one", turns)
    with pytest.raises(Exception, match="change the request") as caught:
        await collected(house.stream(type(request)("r", completion, 600.0, 0.0)))
    assert getattr(caught.value, "reason", None) is Reason.PROVIDER_REFUSED
    assert len(house.books.entries) == 1
    house.judge()


# -- errors ----------------------------------------------------------------------------------


@in_virtual_time
async def test_when_nothing_is_left_to_try_the_first_failure_is_told() -> None:
    house = House(*["http-503"] * 9, limits=LIMITS)
    error = await house.failure()
    assert error.reason is Reason.ATTEMPTS_EXHAUSTED
    assert error.retry_after_s is not None
    assert error.metadata["attempts"] == "3"
    house.judge()


@in_virtual_time
async def test_broken_after_text_with_nothing_left_is_told_as_such() -> None:
    house = House("cut-answer-5")
    error = await house.failure(on_interruption=OnInterruption.FAIL)
    assert error.reason is Reason.STREAM_BROKEN
    assert error.metadata["delivered_answer_chars"] != "0"
    house.judge()


@in_virtual_time
async def test_an_unknown_model_costs_nothing_and_leaves_nobody_inside() -> None:
    house = House()
    assert (await house.failure("nobody")).reason is Reason.UNKNOWN_MODEL
    assert house.books.entries == []
    house.judge()


@in_virtual_time
async def test_a_full_house_turns_away_before_anything_is_asked() -> None:
    house = House("silent-60", max_streams=1)
    loop = asyncio.get_running_loop()
    first = loop.create_task(house.ask())
    await settled_down()
    assert (await house.failure()).reason is Reason.QUEUE_FULL
    await first
    house.judge()


@in_virtual_time
async def test_the_deadline_ends_a_silent_provider() -> None:
    house = House("silent-300", limits=LIMITS)
    error = await house.failure(timeout_s=7.0)
    assert error.reason is Reason.DEADLINE_EXCEEDED
    assert house.clock.now() == pytest.approx(7.0)
    assert outcomes(house) == [("abandoned", "")]
    house.judge()


@in_virtual_time
async def test_a_rejected_key_is_told_at_once_and_without_what_the_provider_repeats() -> None:
    house = House("leak")
    error = await house.failure(timeout_s=7200.0)
    assert house.clock.now() < 1.0
    assert error.reason is Reason.KEYS_REJECTED
    assert "sk-" not in str(error) + repr(error.metadata)


# -- settled exactly once on every way out ---------------------------------------------------

WAYS = [
    "", "http-503", "http-429-1", "http-401", "http-400", "lose-reset", "lose-close", "silent-300",
    "first-200", "cut-reasoning-2", "cut-answer-3", "rst-answer-3", "eof-answer-2", "no-finish",
    "no-done", "empty", "html", "stall-4-400", "error-openai-4", "firsterror-openai",
    "lateerror-openrouter", "prefix-echo+cut-answer-5", "refuse-context", "refuse-policy",
]  # fmt: skip


async def any_end(house: House, route: str) -> None:
    """Events or a RequestFailed: both are ends. Anything else goes up."""
    with suppress(RequestFailed):
        await house.ask(route)


@pytest.mark.parametrize("fault", WAYS)
@in_virtual_time
async def test_whatever_goes_wrong_everything_is_settled_once(fault: str) -> None:
    house = House(fault, limits=LIMITS)
    await any_end(house, "both")
    house.judge()
    assert house.books.entries
    assert not house.books.held


async def hang_up(house: House, after: int) -> bool:
    """Read `after` events, then close; True if the stream was over before that."""
    events = house.stream(house.request())
    count = 0
    async for _ in events:
        count += 1
        if count >= after:
            break
    else:
        return True
    await events.aclose()
    await settled_down()
    return False


@pytest.mark.parametrize("fault", ["", "no-done", "cut-reasoning-3", "cut-answer-4"])
@in_virtual_time
async def test_whoever_hangs_up_at_any_event_leaves_nothing_behind(fault: str) -> None:
    for after in range(1, 40):
        house = House(fault, limits=LIMITS)
        over = await hang_up(house, after)
        house.judge()
        if over:
            return
    raise AssertionError("the stream never ended")


@pytest.mark.parametrize("fault", ["", "http-503", "silent-300", "stall-5-400", "no-done"])
@in_virtual_time
async def test_whoever_is_cancelled_at_any_time_leaves_nothing_behind(fault: str) -> None:
    # Not at 0: what a provider bills while its headers are on the way nobody can know.
    for tenths in (0.1, 1, 2, 3, 5, 8, 13, 40):
        house = House(fault, limits=LIMITS)
        task = asyncio.get_running_loop().create_task(any_end(house, "one"))
        await asyncio.sleep(tenths / 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await settled_down()
        house.judge()


@in_virtual_time
async def test_a_tail_cut_short_while_the_caller_leaves_is_settled_too() -> None:
    """What is owed at the end goes out after the finish reason; the caller may leave just then."""
    for after in range(14, 20):
        house = House("cut-answer-8", "rst-event-2", limits=LIMITS)
        over = await hang_up(house, after)
        house.judge()
        assert len(house.books.entries) == (1 if after <= 15 else 2)
        if over:
            return
    raise AssertionError("the stream never ended")


@in_virtual_time
async def test_a_hundred_at_once_are_all_served_and_all_settled() -> None:
    house = House(max_streams=120, limits="{requests: 600, per: 60s, burst: 20}, {concurrency: 7}")
    answers = await asyncio.gather(*(house.ask() for _ in range(100)))
    assert all(isinstance(events[-1], Completed) for events in answers)
    house.judge()


# -- the size of a prompt --------------------------------------------------------------------


def test_the_prompt_is_measured_in_bytes_of_utf8() -> None:
    turn = Message(
        Role.ASSISTANT,
        (Text("\N{SNOWMAN}"), Image(b"x" * 10, "image/png")),
        reasoning="\N{SNOWMAN}\N{SNOWMAN}",
        tool_calls=(ToolUse("1", "look", '{"a":"\N{SNOWMAN}"}'),),
    )
    assert input_bytes(Completion("m", (turn,))) == 3 + IMAGE_BYTES + 6 + 4 + 11


@in_virtual_time
async def test_a_cut_that_ends_a_long_silence_is_a_stall_and_goes_on_elsewhere() -> None:
    house = House("stall-10-15")
    events = await house.ask("both")
    first, last = completed(events).attempts
    assert (first.reason, first.outcome) == ("STREAM_STALLED", Outcome.INTERRUPTED)
    assert last.provider == "second"
    house.judge()


@in_virtual_time
async def test_a_cut_after_a_short_silence_is_a_cut() -> None:
    house = House("stall-10-2")
    first = completed(await house.ask("both")).attempts[0]
    assert first.reason == "STREAM_CUT"
