"""The proofs must fail where what was shown is not so."""

from __future__ import annotations

import msgspec
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
    Timings,
    Usage,
)
from headway.v1 import control_pb2, event_pb2

from sidecar.cli.demo import proof
from sidecar.cli.demo.proof import Told
from sidecar.core import money, usage
from sidecar.testing.journal import Bill, Entry, Line
from sidecar.testing.texts import DEMO

USAGE = Usage(4, 0, 0, 166, 79, False)
COST = Cost(1, 2, 3, 6, 0, False)


def told(
    reasoning: str = DEMO.reasoning,
    answer: str = DEMO.answer,
    attempts: tuple[Attempt, ...] = (),
    summaries: tuple[AttemptSummary, ...] = (),
) -> Told:
    result = Result(
        reasoning=reasoning, answer=answer, finish_reason=FinishReason.STOP, usage=USAGE,
        cost=COST, timings=Timings(None, None, None, None, None), attempts=summaries,
        response_model="m", cached=False, saved=None,
    )  # fmt: skip
    return Told(result, attempts)


def attempt(
    number: int, continuation: Continuation, lost: str = "", waited_s: float = 0.0
) -> Attempt:
    cause = Cause.FIRST if number == 1 else Cause.FAILOVER
    return Attempt(
        number, "p", "m", "k", cause, continuation, "", 0, waited_s, Discarded(answer=lost)
    )


FIRST = attempt(1, Continuation.FRESH)


@pytest.mark.parametrize(
    ("reasoning", "answer", "holds"),
    [
        (DEMO.reasoning, DEMO.answer, True),
        (DEMO.reasoning[:-1], DEMO.answer, False),
        (DEMO.reasoning, DEMO.answer + ".", False),
        ("", DEMO.reasoning + DEMO.answer, False),
    ],
)
def test_exact_means_to_the_character(reasoning: str, answer: str, holds: bool) -> None:
    assert proof.exact(told(reasoning, answer), DEMO).holds == holds


@pytest.mark.parametrize(
    ("second", "resumes", "restarts"),
    [
        (attempt(2, Continuation.RESUMED), True, False),
        (attempt(2, Continuation.RESUMED, lost="x"), False, False),
        (attempt(2, Continuation.RESTARTED, lost="x"), False, True),
        (attempt(2, Continuation.RESTARTED), False, False),
    ],
)
def test_a_resume_is_no_restart(second: Attempt, resumes: bool, restarts: bool) -> None:
    both = told(attempts=(FIRST, second))

    assert (proof.resumed(both).holds, proof.restarted(both).holds) == (resumes, restarts)


def test_one_attempt_is_neither() -> None:
    alone = told(attempts=(FIRST,))

    assert (proof.resumed(alone).holds, proof.restarted(alone).holds) == (False, False)


def entry(status: int) -> Entry:
    given = {field.name: None for field in msgspec.structs.fields(Entry)}
    return Entry(**{**given, "status": status})  # type: ignore[arg-type]


def summary(outcome: Outcome, reason: str) -> AttemptSummary:
    return AttemptSummary(
        1, "p", "m", "k", Cause.FIRST, Continuation.FRESH, outcome, reason, USAGE, COST, None
    )


def test_a_429_that_was_waited_out_is_in_the_providers_log_and_in_our_attempts() -> None:
    waited = attempt(2, Continuation.FRESH, waited_s=2.0)
    refused = summary(Outcome.FAILED, "RATE_LIMITED")
    good = told(attempts=(waited,), summaries=(refused, summary(Outcome.COMPLETED, "")))

    def holds(stream: Told, *statuses: int) -> list[bool]:
        return [claim.holds for claim in proof.waited_out(stream, [entry(s) for s in statuses])]

    assert holds(good, 200, 429, 200) == [True, True]
    assert holds(good, 200, 200) == [False, True]
    assert holds(told(attempts=(FIRST,)), 200, 429, 200) == [True, False]


def row(nano: int, outcome: event_pb2.AttemptOutcome.ValueType) -> control_pb2.UsageRow:
    made = control_pb2.UsageRow(outcome=outcome)
    made.usage.input_tokens = 4
    made.usage.output_tokens = 166
    made.usage.reasoning_tokens = 79
    made.cost.input_nano_usd = nano
    made.cost.total_nano_usd = nano
    return made


def bill(nano: int, output_tokens: int = 332) -> Bill:
    sums = usage.Usage(input_tokens=8, output_tokens=output_tokens, reasoning_tokens=158)
    return Bill(Line(2, 2, sums, money.Cost(nano)), {}, {})


ROWS = [row(5, event_pb2.ATTEMPT_OUTCOME_COMPLETED), row(2, event_pb2.ATTEMPT_OUTCOME_INTERRUPTED)]


def test_the_ledger_equals_the_bill_to_the_nano_dollar() -> None:
    assert [claim.holds for claim in proof.accounted(ROWS, bill(7))] == [True, True]


@pytest.mark.parametrize("wrong", [bill(8), bill(6), bill(7, output_tokens=331)])
def test_a_nano_dollar_or_a_token_too_much_is_seen(wrong: Bill) -> None:
    assert not proof.accounted(ROWS, wrong)[0].holds


def test_lost_attempts_must_have_cost_something() -> None:
    assert not proof.accounted(ROWS[:1], bill(5))[1].holds


def test_an_answer_of_nothing_is_not_whole() -> None:
    assert (proof.whole(told()).holds, proof.whole(told(answer="")).holds) == (True, False)
