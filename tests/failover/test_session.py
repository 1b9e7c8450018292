"""One request's history: plans, causes, the seam, tries and what ends a session."""

from __future__ import annotations

import math

import pytest

from sidecar.core.events import (
    Answer,
    AttemptBegan,
    AttemptCause,
    Continuation,
    FinishReason,
    Outcome,
    Reasoning,
    Saved,
    ToolCall,
)
from sidecar.core.failure import Cause, Reason, Remedy
from sidecar.core.money import Cost, Price
from sidecar.core.request import OnInterruption, Prefix
from sidecar.core.target import Resume
from sidecar.core.usage import Usage
from sidecar.failover.session import ASIDE_S, BACKOFF_FIRST_S, BACKOFF_LAST_S, MAY_RECOVER
from sidecar.failover.standing import Kept
from tests.failover.making import (
    ALPHA,
    BETA,
    GAMMA,
    LONG_ENOUGH,
    begin,
    cut,
    fail,
    fail_once,
    finish,
    say,
    session,
)

THOUGHT = Reasoning("thinking about it for a while")


# -- why an attempt is made ------------------------------------------------------------------


def test_the_first_attempt_is_fresh_and_has_no_reason() -> None:
    plan = begin(session())
    assert (plan.number, plan.cause, plan.reason) == (1, AttemptCause.FIRST, "")
    assert plan.start.continuation is Continuation.FRESH


def test_the_same_target_again_is_a_retry_with_the_failure_as_its_reason() -> None:
    one = session()
    fail_once(one, Cause.SERVER_ERROR)
    plan = begin(one, 0)
    assert (plan.number, plan.cause, plan.reason) == (2, AttemptCause.RETRY, "PROVIDER_ERROR")


def test_another_target_is_a_failover() -> None:
    one = session()
    fail_once(one, Cause.SERVER_ERROR)
    assert begin(one, 1).cause is AttemptCause.FAILOVER


def test_back_to_the_first_target_is_a_failover_too() -> None:
    one = session()
    fail_once(one, Cause.SERVER_ERROR, rank=0)
    fail_once(one, Cause.CONNECT, rank=1)
    plan = begin(one, 0)
    assert (plan.cause, plan.reason) == (AttemptCause.FAILOVER, "CONNECT_FAILED")


# -- the seam --------------------------------------------------------------------------------


def test_the_event_of_an_attempt_goes_out_with_its_first_delta_and_counts() -> None:
    one = session()
    events = say(one, begin(one, waited_s=1.5), Answer("Hi"), Answer(" there"))
    began = events[0]
    assert isinstance(began, AttemptBegan)
    assert (began.provider, began.key_alias, began.waited_s) == ("alpha", "key-0", 1.5)
    assert began.discard_after_sequence == 0
    assert one.sequence == 3


def test_a_resumed_attempt_discards_nothing() -> None:
    one = session()
    cut(one, THOUGHT, Answer(LONG_ENOUGH))
    plan = begin(one, 0)
    assert plan.start.prefix == Prefix(THOUGHT.text, LONG_ENOUGH)
    began = one.announce(plan)
    assert began.continuation is Continuation.RESUMED
    assert began.discard_after_sequence == 3
    assert one.transcript.answer == LONG_ENOUGH


def test_a_restarted_attempt_discards_everything() -> None:
    one = session(ALPHA, GAMMA)
    cut(one, THOUGHT, Answer(LONG_ENOUGH))
    began = one.announce(begin(one, 1))
    assert began.continuation is Continuation.RESTARTED
    assert began.discard_after_sequence == 0
    assert one.transcript.empty


def test_what_is_discarded_is_only_dropped_when_the_new_attempt_speaks() -> None:
    """It may fail without a word; then the next one may still continue the old text."""
    one = session(ALPHA, GAMMA)
    cut(one, Answer(LONG_ENOUGH))
    fail_once(one, Cause.SERVER_ERROR, rank=1)
    assert begin(one, 0).start.prefix == Prefix(answer=LONG_ENOUGH)


def test_the_sequence_has_no_holes_over_attempts() -> None:
    one = session(ALPHA, GAMMA)
    first = begin(one, 0)
    events = say(one, first, THOUGHT, Answer("one"))
    fail(one, first, Cause.RESET)
    events += say(one, begin(one, 1), Answer("two"))
    assert one.sequence == len(events) == 5


def test_excluded_reasoning_is_kept_but_neither_sent_nor_counted() -> None:
    one = session(deliver=False)
    plan = begin(one)
    events = say(one, plan, THOUGHT, Answer("yes"))
    assert [type(event) for event in events] == [AttemptBegan, Answer]
    assert one.sequence == 2
    assert one.transcript.reasoning == THOUGHT.text


def test_excluded_reasoning_can_be_resumed_from() -> None:
    one = session(deliver=False)
    cut(one, THOUGHT)
    assert begin(one, 0).start.prefix == Prefix(reasoning=THOUGHT.text)


# -- policies --------------------------------------------------------------------------------


def test_fail_ends_the_session_once_text_was_delivered() -> None:
    one = session(on_interruption=OnInterruption.FAIL)
    cut(one)
    assert one.over
    assert one.error().reason is Reason.STREAM_BROKEN


def test_fail_still_allows_another_attempt_before_the_first_word() -> None:
    one = session(on_interruption=OnInterruption.FAIL)
    fail_once(one, Cause.SERVER_ERROR)
    assert not one.over


def test_restart_never_continues() -> None:
    one = session(on_interruption=OnInterruption.RESTART)
    cut(one)
    assert begin(one, 0).start.continuation is Continuation.RESTARTED


def test_a_target_that_takes_less_gets_less() -> None:
    one = session(ALPHA, BETA)
    cut(one, THOUGHT, Answer(LONG_ENOUGH))
    assert begin(one, 1).start.prefix == Prefix(answer=LONG_ENOUGH)


def test_cut_tool_calls_are_never_continued() -> None:
    one = session()
    cut(one, Answer(LONG_ENOUGH), ToolCall(0, "id", "look", '{"a'))
    assert begin(one, 0).start.continuation is Continuation.RESTARTED


# -- tries -----------------------------------------------------------------------------------


def test_a_target_is_retried_as_often_as_the_route_says() -> None:
    one = session(ALPHA, retries=2)
    for _ in range(2):
        fail_once(one, Cause.SERVER_ERROR)
        assert not one.over
    fail_once(one, Cause.SERVER_ERROR)
    assert one.over
    assert one.ready_at(0, 0.0) == math.inf


def test_the_backoff_doubles_and_is_shaken_by_at_most_half() -> None:
    one = session(ALPHA, retries=9)
    for number in range(8):
        fail_once(one, Cause.SERVER_ERROR, now=100.0)
        own = min(BACKOFF_FIRST_S * 2.0**number, BACKOFF_LAST_S)
        assert 100.0 + own / 2 <= one.ready_at(0, 100.0) <= 100.0 + own


def test_a_retry_after_of_the_provider_outlasts_our_backoff() -> None:
    one = session(ALPHA)
    fail(one, begin(one), Cause.OVERLOADED, now=10.0, retry_after_s=33.0)
    assert one.ready_at(0, 10.0) == 43.0


def test_the_backoff_of_one_target_is_not_that_of_another() -> None:
    one = session()
    fail_once(one, Cause.SERVER_ERROR, now=5.0)
    assert one.ready_at(0, 5.0) > 5.0
    assert one.ready_at(1, 5.0) == 5.0


def test_rate_limits_have_their_own_count_of_two_for_each_retry() -> None:
    one = session(ALPHA, retries=2)
    for _ in range(4):
        fail_once(one, Cause.RATE_LIMITED)
        assert not one.over
        assert one.ready_at(0, 0.0) == 0.0  # the wait is the key's
    fail_once(one, Cause.RATE_LIMITED)
    assert one.over


def test_a_refused_key_is_no_try_of_the_target() -> None:
    one = session(ALPHA, retries=0)
    for _ in range(20):
        fail_once(one, Cause.CREDENTIAL)
    assert not one.over


@pytest.mark.parametrize("cause", [Cause.MODEL_GONE, Cause.CONTEXT_LENGTH])
def test_a_target_that_will_not_do_is_not_asked_again(cause: Cause) -> None:
    one = session()
    fail_once(one, cause)
    assert one.ready_at(0, 0.0) == math.inf
    assert not one.over


@pytest.mark.parametrize("cause", sorted(MAY_RECOVER, key=lambda c: c.value))
def test_a_target_that_fell_silent_stands_aside_for_the_others(cause: Cause) -> None:
    one = session()
    fail_once(one, cause, now=1.0)
    assert one.ready_at(0, 1.0) == 1.0 + ASIDE_S
    assert one.ready_at(1, 1.0) == 1.0


def test_a_cut_stream_is_taken_up_at_once_but_only_the_first_time() -> None:
    one = session(ALPHA)
    cut(one)
    assert one.ready_at(0, 0.0) == 0.0
    cut(one)
    assert one.ready_at(0, 0.0) > 0.0


@pytest.mark.parametrize("cause", sorted(MAY_RECOVER, key=lambda c: c.value))
def test_alone_it_is_asked_again_after_what_may_pass(cause: Cause) -> None:
    one = session(ALPHA)
    fail_once(one, cause, now=1.0)
    assert 1.0 < one.ready_at(0, 1.0) < math.inf


@pytest.mark.parametrize("cause", [Cause.MODEL_GONE, Cause.CONTEXT_LENGTH, Cause.UNSUPPORTED])
def test_alone_it_is_not_asked_again_after_what_will_not_pass(cause: Cause) -> None:
    one = session(ALPHA)
    fail_once(one, cause)
    assert one.over


def test_the_last_target_left_counts_as_alone() -> None:
    one = session()
    fail_once(one, Cause.MODEL_GONE, rank=1)
    fail_once(one, Cause.TIMEOUT_FIRST, rank=0)
    assert not one.over


@pytest.mark.parametrize("cause", [Cause.REQUEST_REFUSED, Cause.CONTENT_FILTER])
def test_a_refused_request_asks_nobody_else(cause: Cause) -> None:
    one = session()
    fail_once(one, cause)
    assert one.over


def test_a_refused_prefix_is_taken_away_and_costs_no_try() -> None:
    one = session(ALPHA, retries=1)
    cut(one)
    fail(one, begin(one, 0), Cause.PREFIX_REFUSED)
    assert not one.over
    assert begin(one, 0).start.continuation is Continuation.RESTARTED


def test_a_target_that_refuses_a_prefix_it_was_not_given_is_not_asked_for_ever() -> None:
    one = session(ALPHA)
    attempts = 0
    while not one.over:
        fail_once(one, Cause.PREFIX_REFUSED)
        attempts += 1
        assert attempts <= 5
    assert one.error().reason is Reason.PROVIDER_REFUSED


@pytest.mark.parametrize("cause", [c for c in Cause if c not in {Cause.CREDENTIAL, Cause.REGION}])
def test_no_cause_is_retried_without_end(cause: Cause) -> None:
    """Refused keys and accounts rest (the key ring's), so they end by running out of keys."""
    if cause in {Cause.QUOTA, Cause.MODEL_ACCESS}:
        return
    one = session(ALPHA, BETA, retries=3)
    attempts = 0
    while not one.over:
        rank = next(r for r in (0, 1) if one.ready_at(r, 0.0) < math.inf)
        fail_once(one, cause, rank=rank)
        attempts += 1
        assert attempts <= 14
    assert one.error() is not None


# -- the end ---------------------------------------------------------------------------------


def test_a_failed_attempt_that_spoke_was_interrupted() -> None:
    one = session()
    silent, loud = begin(one), begin(one)
    say(one, loud, Answer("x"))
    assert one.outcome_of(silent) is Outcome.FAILED
    assert one.outcome_of(loud) is Outcome.INTERRUPTED


def test_usage_and_cost_are_sums_over_all_attempts() -> None:
    one = session()
    fail(one, begin(one), Cause.CUT, usage=Usage(10, output_tokens=4), cost=Cost(1, 2, 3))
    finish(one, begin(one, 1), usage=Usage(10, output_tokens=6, reasoning_tokens=2))
    assert one.usage == Usage(20, output_tokens=10, reasoning_tokens=2)
    assert one.cost == Cost(1, 2, 3)
    assert [a.number for a in one.completion(5.0).attempts] == [1, 2]


def test_a_resumed_end_says_what_resuming_saved() -> None:
    one = session()
    cut(one, THOUGHT, usage=Usage(10, output_tokens=7, reasoning_tokens=5))
    plan = begin(one, 0)
    say(one, plan, Answer("rest"))
    finish(one, plan, price=Price(input=500_000, output=3_000_000))
    # Seven tokens were not written again, at 3 a token, and read instead, at half of one.
    assert one.saved == Saved(reasoning_tokens=5, answer_tokens=2, nano_usd=17)


def test_what_goes_along_is_what_the_target_can_take() -> None:
    kept = Kept(reasoning=5, answer=2)
    assert kept.along(ALPHA.resume, handoff=True) == 7
    assert kept.along(GAMMA.resume, handoff=True) == 5
    assert kept.along(GAMMA.resume, handoff=False) == 0


def test_a_restarted_end_saved_nothing() -> None:
    one = session(ALPHA, GAMMA)
    cut(one, THOUGHT, usage=Usage(10, output_tokens=7, reasoning_tokens=5))
    plan = begin(one, 1)
    say(one, plan, Answer("all of it"))
    finish(one, plan, price=Price(input=500_000, output=3_000_000))
    assert one.saved == Saved()
    assert one.kept.total == 0


def test_the_last_event_tells_the_whole_story() -> None:
    one = session(now=100.0)
    plan = begin(one)
    one.stamps.saw(False, 0.5)
    one.stamps.saw(True, 0.75)
    one.stamps.saw(True, 9.0)
    say(one, plan, Answer("x"))
    finish(one, plan)
    event = one.completion(104.0)
    assert event.finish_reason is FinishReason.STOP
    assert event.response_model == "m-1"
    assert (event.timings.first_reasoning_s, event.timings.first_answer_s) == (0.5, 0.75)
    assert event.timings.total_s == 4.0


def test_an_error_tells_what_was_tried_and_delivered() -> None:
    one = session(ALPHA, GAMMA, retries=0)
    cut(one, Answer("12345"), rank=0)
    fail_once(one, Cause.CONNECT, rank=1)
    error = one.error()
    assert error.metadata["attempts"] == "2"
    assert error.metadata["targets"] == "alpha/m,gamma/m"
    assert error.metadata["last_sequence"] == "2"
    assert error.metadata["delivered_answer_chars"] == "5"
    assert (error.metadata["cause"], error.metadata["last_cause"]) == (
        "STREAM_CUT",
        "CONNECT_FAILED",
    )


def test_abilities_learned_elsewhere_bind_the_plan() -> None:
    one = session()
    cut(one)
    assert one.begin(0, "k", Resume.NONE, 0.0, 0.0).start.continuation is Continuation.RESTARTED


def test_every_remedy_has_its_way_to_be_taken() -> None:
    """The table in the session is looked up by remedy: none may be missing."""
    for cause in Cause:
        one = session()
        fail_once(one, cause)
        assert len(one.failures) == 1
    assert {c for c in Remedy} == {Remedy.RETRY, Remedy.REST, Remedy.MOVE, Remedy.REFUSE}
