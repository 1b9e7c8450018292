"""The record itself: what it keeps, and what it never shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.events import Outcome
from sidecar.core.request import Completion, Message, Role, Text
from sidecar.telemetry.context import continued

from .making import MS, T0, TRACE_ID, TRACEPARENT, begun, calm, first_attempt, spans, telemetry

PROMPT = Completion(model="x", messages=(Message(Role.USER, (Text("the question"),)),))
hexes = st.text(st.sampled_from("0123456789abcdef"), min_size=16, max_size=16)


def test_no_record_shows_the_prompt_in_its_repr() -> None:
    request = begun(telemetry(), completion=PROMPT)
    first_attempt(request)

    assert "question" not in repr(request) + repr(request.attempts)


@calm
@given(hexes, hexes, hexes)
def test_the_providers_context_continues_the_callers_trace(
    high: str, low: str, span_id: str
) -> None:
    sent = f"00-{high}{low}-{span_id}-01"
    request = begun(telemetry(), traceparent=sent)
    told = continued(first_attempt(request).traceparent, "")

    assert told is not None
    came = continued(sent, "")
    assert came is None or told.trace_id == came.trace_id


def test_the_provider_is_told_the_span_of_its_own_call() -> None:
    told: list[str] = []

    def make(owner):  # type: ignore[no-untyped-def]
        request = begun(owner)
        told.append(first_attempt(request).traceparent)
        request.finish(status_code="OK", now_ns=T0 + MS)

    (post,) = [span for span in spans(make) if span.name == "POST"]
    assert told == [f"00-{TRACE_ID}-{post.span_id.hex()}-01"]


def test_a_caller_that_does_not_sample_is_followed_to_the_provider() -> None:
    request = begun(telemetry(), traceparent=TRACEPARENT[:-2] + "00")

    assert first_attempt(request).traceparent.endswith("-00")


def test_the_callers_trace_state_goes_to_the_provider() -> None:
    request = begun(telemetry(), tracestate="vendor=x")

    assert first_attempt(request).tracestate == "vendor=x"


@pytest.mark.parametrize(
    ("called", "kept"),
    [
        ("https://api.x.com/v1/chat", "https://api.x.com/v1/chat"),
        ("https://u:p@api.x.com:8443/v1?key=s#f", "https://api.x.com:8443/v1"),
        ("https://api.x.com?key=s@t/u", "https://api.x.com"),
        ("https://api.x.com", "https://api.x.com"),
    ],
)
def test_an_address_is_kept_without_what_may_be_secret(called: str, kept: str) -> None:
    attempt = first_attempt(begun(telemetry()))
    attempt.called(called)

    assert attempt.url == kept


def test_only_the_first_end_of_an_attempt_counts() -> None:
    attempt = first_attempt(begun(telemetry()))
    attempt.finish(outcome=Outcome.FAILED, reason="RATE_LIMITED", now_ns=T0 + MS)
    attempt.finish(outcome=Outcome.COMPLETED, now_ns=T0 + 2 * MS)

    assert (attempt.outcome, attempt.end_ns) == (Outcome.FAILED, T0 + MS)


def test_only_the_first_end_of_a_request_counts() -> None:
    def make(owner):  # type: ignore[no-untyped-def]
        request = begun(owner)
        request.finish(status_code="OK", now_ns=T0 + MS)
        request.finish(status_code="INTERNAL", now_ns=T0 + 2 * MS)

    assert [span.name for span in spans(make)] == [
        "headway.v1.CompletionService/StreamCompletion",
        "chat default",
    ]


def test_records_share_no_list() -> None:
    owner = telemetry()
    first_attempt(begun(owner)).phase("answer", T0)

    second = begun(owner)
    assert second.attempts == []
    assert first_attempt(second).phases == []
