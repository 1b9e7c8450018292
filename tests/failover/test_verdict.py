"""Every cause has a verdict, and every end of a request its error."""

from __future__ import annotations

import pytest

from sidecar.core.events import Answer
from sidecar.core.failure import CODES, VERDICTS, Cause, Reason, Remedy
from sidecar.failover import verdict
from tests.failover.making import failure, session

NOTHING = {"attempts": "1", "last_sequence": "0"}
SOMETHING = {"attempts": "1", "last_sequence": "4"}
TRY_AGAIN = {
    Reason.DEADLINE_TOO_SHORT,
    Reason.QUEUE_FULL,
    Reason.NO_TARGET_READY,
    Reason.ATTEMPTS_EXHAUSTED,
    Reason.DRAINING,
}


def test_every_cause_has_a_verdict() -> None:
    assert set(VERDICTS) == set(Cause)


def test_every_reason_has_a_code() -> None:
    assert set(CODES) == set(Reason)


def test_only_what_is_the_targets_fault_trips_its_breaker() -> None:
    tripping = {cause for cause, row in VERDICTS.items() if row.trips_breaker}
    assert {VERDICTS[cause].blame.value for cause in tripping} == {"target"}
    assert not tripping & {Cause.RATE_LIMITED, Cause.CREDENTIAL, Cause.CONTEXT_LENGTH}


@pytest.mark.parametrize("cause", Cause)
def test_retry_info_is_there_exactly_where_retrying_helps(cause: Cause) -> None:
    error = verdict.error_for(None, [failure(cause)], NOTHING)
    assert (error.retry_after_s is not None) == (error.reason in TRY_AGAIN)


@pytest.mark.parametrize("cause", Cause)
def test_once_text_was_delivered_a_failure_is_a_broken_stream(cause: Cause) -> None:
    error = verdict.error_for(None, [failure(cause)], SOMETHING)
    assert error.reason is Reason.STREAM_BROKEN
    assert error.retry_after_s is None


@pytest.mark.parametrize("cause", [c for c in Cause if VERDICTS[c].remedy is Remedy.REFUSE])
def test_a_refusal_is_told_as_such_even_after_text(cause: Cause) -> None:
    refused = failure(cause)
    error = verdict.error_for(refused, [failure(Cause.CUT), refused], SOMETHING)
    assert error.reason is verdict.REASONS[cause][0]
    assert error.metadata["cause"] == cause.value


def test_the_first_failure_is_what_the_caller_sees() -> None:
    failures = [failure(Cause.CONTEXT_LENGTH, status=400), failure(Cause.SERVER_ERROR, status=500)]
    error = verdict.error_for(None, failures, NOTHING)
    assert error.reason is Reason.CONTEXT_TOO_LONG
    assert error.metadata["http_status"] == "400"
    assert error.metadata["last_cause"] == "PROVIDER_ERROR"


def test_the_time_to_come_back_is_the_longest_that_was_told() -> None:
    failures = [failure(Cause.OVERLOADED, 3.0), failure(Cause.OVERLOADED, 9.0)]
    assert verdict.error_for(None, failures, NOTHING).retry_after_s == 9.0


def test_where_nothing_was_told_the_time_to_come_back_is_ours() -> None:
    error = verdict.error_for(None, [failure(Cause.CONNECT)], NOTHING)
    assert error.retry_after_s == verdict.COME_BACK_S


@pytest.mark.parametrize("cause", sorted(verdict.REASONS, key=lambda cause: cause.value))
def test_an_error_says_what_to_do(cause: Cause) -> None:
    error = verdict.error_for(None, [failure(cause)], NOTHING)
    assert error.message == f"failed: {cause.value}; {verdict.REASONS[cause][1]}"


@pytest.mark.parametrize("cause", Cause)
def test_a_session_with_any_failure_can_be_told(cause: Cause) -> None:
    one = session()
    plan = one.begin(0, "k", one.route.targets[0].resume, 0.0, 0.0)
    one.announce(plan)
    one.note(Answer("x"))
    one.failed(plan, failure(cause), 0.0)
    assert one.error().reason in Reason
