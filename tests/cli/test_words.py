"""How figures and events read."""

from __future__ import annotations

import pytest
from headway import (
    Attempt,
    AttemptSummary,
    Cause,
    Continuation,
    Cost,
    Discarded,
    FinishReason,
    Outcome,
    Result,
    Saved,
    Timings,
    Usage,
)

from sidecar.cli import words

USAGE = Usage(1_200, 200, 0, 300, 180, False)
COST = Cost(100, 200, 300, 600, 5, False)


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0.00 USD"),
        (1, "0.000000001 USD"),
        (1_500_000_000, "1.50 USD"),
        (100_200, "0.0001002 USD"),
        (12_345_000_000_000, "12,345.00 USD"),
        (2_000_000_001, "2.000000001 USD"),
    ],
)
def test_money_is_told_to_the_nano_dollar(nano: int, text: str) -> None:
    assert words.usd(nano) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.0004, "0.4 ms"),
        (0.25, "250 ms"),
        (2.5, "2.5 s"),
        (90, "90 s"),
        (300, "5 min"),
        (5_400, "1 h 30 min"),
        (90 * 86_400, "90 d"),
        (86_461, "1 d 1 min"),
    ],
)
def test_times_are_told_as_people_do(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


def test_one_is_singular() -> None:
    assert (words.count(1, "key"), words.count(1_200, "key")) == ("1 key", "1,200 keys")


def attempt(continuation: Continuation, discarded: Discarded, waited_s: float = 0.0) -> Attempt:
    cause = Cause.FAILOVER
    return Attempt(2, "p", "m", "k", cause, continuation, "STREAM_CUT", 0, waited_s, discarded)


def test_a_first_attempt_says_who_answers() -> None:
    first = Attempt(1, "p", "m", "k", Cause.FIRST, Continuation.FRESH, "", 0, 0.0)

    assert words.attempt_line(first) == "attempt 1: p/m, key k"


def test_a_resumed_attempt_says_that_it_goes_on() -> None:
    line = words.attempt_line(attempt(Continuation.RESUMED, Discarded()))

    assert line == (
        "attempt 2: p/m, key k, failover after STREAM_CUT, goes on where the last one broke"
    )


def test_a_restarted_attempt_says_what_is_void() -> None:
    lost = Discarded(reasoning="hmm", answer="yes!", tool_calls=1)
    line = words.attempt_line(attempt(Continuation.RESTARTED, lost))

    assert line.endswith(
        "begins anew, 3 characters of reasoning and 4 characters of answer and 1 tool call above "
        "are void"
    )


def test_a_wait_is_told() -> None:
    line = words.attempt_line(attempt(Continuation.FRESH, Discarded(), waited_s=2.5))

    assert line.endswith("waited 2.5 s")


def test_tokens_of_reasoning_and_answer_are_apart() -> None:
    assert words.tokens(USAGE) == (
        "1,200 tokens in (200 cached), 180 of reasoning and 120 of answer out"
    )


def test_estimated_tokens_are_told_as_such() -> None:
    assert words.tokens(Usage(1, 0, 0, 1, 0, True)).startswith("about ")


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (COST, "0.0000006 USD"),
        (Cost(0, 0, 0, 0, 0, True), "cost unknown: no price for this model"),
        (
            Cost(1, 0, 0, 1_000, 0, True),
            "cost unknown: no price for this model, at least 0.000001 USD",
        ),
    ],
)
def test_a_cost_that_nobody_knows_is_not_nothing(cost: Cost, text: str) -> None:
    assert words.price(cost) == text


def test_the_summary_tells_tokens_cost_times_and_lost_attempts() -> None:
    lost = AttemptSummary(
        1, "p", "m", "k", Cause.FIRST, Continuation.FRESH, Outcome.INTERRUPTED, "STREAM_CUT",
        USAGE, COST, 0.1, dropped_options=("temperature", "reasoning.budget_tokens"),
    )  # fmt: skip
    result = Result(
        finish_reason=FinishReason.LENGTH,
        usage=USAGE,
        cost=COST,
        timings=Timings(None, None, 0.05, None, 2.0),
        attempts=(lost,),
        response_model="m",
        cached=False,
        saved=Saved(20, 5, 1_000),
    )

    assert words.summary(result) == [
        "1,200 tokens in (200 cached), 180 of reasoning and 120 of answer out, 0.0000006 USD",
        "first token after 50 ms, 2 s in all, cut off by the maximum of tokens",
        "going on saved 20 tokens of reasoning and 5 of answer, and 0.000001 USD",
        "attempt 1 on p/m was not sent as asked: temperature, reasoning.budget_tokens",
        "attempt 1 on p/m interrupted (STREAM_CUT): 0.0000006 USD, included",
    ]


def test_going_on_may_cost_more_than_it_saves() -> None:
    said = words.saving(Saved(20, 0, -1_000))
    assert said == "20 tokens of reasoning and 0 of answer, but cost 0.000001 USD more"
