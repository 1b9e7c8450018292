"""The room's front: what it hands out, and that it never fails a request."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from sidecar.core.events import Outcome
from sidecar.telemetry import RequestTrace, Telemetry

from .collector import attributes
from .cost import calls
from .making import (
    MS,
    T0,
    TRACE_ID,
    TRACEPARENT,
    USAGE,
    Kept,
    begun,
    completed,
    first_attempt,
    named,
    simple,
    spans,
    telemetry,
    waiting,
)


def test_a_request_without_a_caller_begins_a_trace() -> None:
    found = spans(simple_root)

    assert found[0].parent_span_id == b""
    assert len({span.trace_id for span in found}) == 1
    assert found[0].trace_id != bytes(16)


def simple_root(owner: Telemetry) -> None:
    simple(owner, traceparent="")


def test_an_invalid_context_begins_a_trace() -> None:
    found = spans(lambda owner: simple(owner, traceparent="00-xyz", tracestate="a=b"))

    assert found[0].parent_span_id == b""
    assert found[0].trace_state == ""


def test_a_caller_that_does_not_sample_gets_no_spans() -> None:
    assert spans(lambda owner: simple(owner, traceparent=TRACEPARENT[:-2] + "00")) == []


def test_a_caller_that_samples_gets_spans_whatever_our_ratio() -> None:
    assert len(spans(simple, sample_ratio=0.0)) == 6


def test_the_ratio_decides_for_traces_that_begin_here() -> None:
    assert spans(simple_root, sample_ratio=0.0) == []


def test_disabled_telemetry_records_nothing_and_passes_the_context_on() -> None:
    owner = Telemetry.disabled()
    request = begun(owner)
    attempt = first_attempt(request)
    completed(request)

    assert attempt.traceparent == TRACEPARENT
    assert owner.status() is None


def test_disabled_telemetry_invents_no_context() -> None:
    request = begun(Telemetry.disabled(), traceparent="")

    assert first_attempt(request).traceparent == ""


async def test_disabled_telemetry_can_be_started_and_closed() -> None:
    owner = Telemetry.disabled()
    owner.start()
    owner.call(method="x/Y", status_code="OK", start_ns=0, now_ns=1)
    await owner.aclose(1)


def test_settings_without_an_endpoint_are_disabled_telemetry() -> None:
    assert telemetry("").status() is None


def test_a_mistake_of_ours_is_counted_and_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("sidecar.telemetry.tree.encoded", broken)
    owner = telemetry()
    for _ in range(3):
        simple(owner)

    status = owner.status()
    assert status is not None
    assert status.spans_dropped == 3
    assert len(caplog.records) == 1


def test_a_record_may_hold_anything_a_provider_sends() -> None:
    owner = telemetry()
    request = begun(owner, model="m\ud800\u0000", caller="\U0001f600")
    first_attempt(request, key_alias="a\ud800")
    request.finish(
        status_code="OK",
        response_id="x" * 100_000,
        response_model="\ud83d",
        first_token_ns=T0 - MS,
        now_ns=T0 - 5 * MS,
    )

    assert [span.name for span in waiting(owner)][1] == "chat m?\x00"
    assert owner.status().spans_dropped == 0  # type: ignore[union-attr]


def test_the_status_tells_what_waits() -> None:
    owner = telemetry()
    simple(owner)

    status = owner.status()
    assert status is not None
    assert status.bytes_waiting > 0
    assert status.endpoint == "http://127.0.0.1:9"


async def test_starting_twice_is_starting_once() -> None:
    kept = Kept()
    owner = telemetry(connect=kept.connect)
    owner.start()
    owner.start()
    simple(owner)
    await owner.aclose(5)

    assert len(kept.batches) == 1


def test_importing_the_room_imports_neither_opentelemetry_nor_grpc() -> None:
    code = (
        "import sys, sidecar.telemetry; "
        "print([name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'grpc')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_request_belongs_to_the_callers_trace_from_its_first_moment() -> None:
    request: RequestTrace = begun(telemetry())

    assert request.context.trace_id.hex() == TRACE_ID


def test_a_request_stays_within_its_budget_of_calls() -> None:
    owner = telemetry()
    simple(owner)

    # About 0.1 us each: the budget of DESIGN's 1,000 streams a second, told without a stopwatch.
    assert calls(lambda: simple(owner)) < 420


def test_disabled_telemetry_costs_next_to_nothing() -> None:
    owner = Telemetry.disabled()
    simple(owner)

    assert calls(lambda: simple(owner)) < 45


def test_an_attempt_tells_what_it_left_out_and_what_its_provider_told() -> None:
    def make(owner: Telemetry) -> None:
        request = begun(owner)
        attempt = first_attempt(request)
        attempt.told(("seed", "top_p"), "ds-7f", 0, "Up")
        attempt.finish(outcome=Outcome.COMPLETED, usage=USAGE, now_ns=T0 + 9 * MS)
        completed(request)

    (attempt,) = named(spans(make), "headway.attempt")
    about = attributes(attempt)
    assert about["headway.attempt.dropped_options"] == ["seed", "top_p"]
    assert about["headway.provider.trace"] == "ds-7f"
    assert about["headway.provider.upstream"] == "Up"
    assert about["headway.provider.cost.nano_usd"] == 0
