"""W3C trace context: continued where it is valid, begun anew where it is not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from sidecar.telemetry.context import Context, Ids, begun, continued, traceparent

from .making import PARENT_ID, TRACE_ID, TRACEPARENT, calm

hex_digits = st.sampled_from("0123456789abcdef")


def hexes(length: int) -> st.SearchStrategy[str]:
    whole = st.text(hex_digits, min_size=length, max_size=length)
    return whole.filter(lambda text: text.strip("0") != "")


@calm
@given(hexes(32), hexes(16), st.integers(0, 255))
def test_a_valid_context_is_continued(trace_id: str, span_id: str, flags: int) -> None:
    found = continued(f"00-{trace_id}-{span_id}-{flags:02x}", "")

    assert found is not None
    assert (found.trace_id.hex(), found.parent_id.hex()) == (trace_id, span_id)
    assert found.sampled == bool(flags & 1)


@calm
@given(hexes(32), hexes(16), st.integers(0, 3))
def test_what_is_sent_on_is_what_was_read(trace_id: str, span_id: str, flags: int) -> None:
    text = f"00-{trace_id}-{span_id}-{flags:02x}"
    found = continued(text, "")

    assert found is not None
    assert traceparent(found.trace_id, found.parent_id, found.flags) == text


@calm
@given(st.text(st.sampled_from("0123456789abcdefg-f0"), max_size=60))
def test_it_reads_what_the_sdks_propagator_reads(text: str) -> None:
    theirs = TraceContextTextMapPropagator().extract({"traceparent": text})
    context = get_current_span(theirs).get_span_context()
    ours = continued(text, "")

    assert (ours is not None) == context.is_valid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        f"ff-{TRACE_ID}-{PARENT_ID}-01",
        f"00-{'0' * 32}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID}-{PARENT_ID}-01-more",
        f"00-{TRACE_ID.upper()}-{PARENT_ID}-01",
        f"00-{TRACE_ID}-{PARENT_ID}",
        TRACEPARENT + "\n",
    ],
)
def test_what_is_not_valid_is_ignored(text: str) -> None:
    assert continued(text, "a=b") is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    found = continued(f"01-{TRACE_ID}-{PARENT_ID}-01-later", "")

    assert found is not None
    assert found.trace_id.hex() == TRACE_ID


def test_the_callers_trace_state_is_kept() -> None:
    found = continued(TRACEPARENT, "vendor=x,other=y")

    assert found is not None
    assert found.trace_state == "vendor=x,other=y"


def test_an_endless_trace_state_is_dropped() -> None:
    found = continued(TRACEPARENT, "a=" + "x" * 600)

    assert found is not None
    assert found.trace_state == ""


@calm
@given(st.integers(1, 2**128 - 1), st.floats(0, 1))
def test_sampling_decides_as_the_sdks_sampler_does(trace_id: int, ratio: float) -> None:
    theirs = TraceIdRatioBased(ratio).should_sample(None, trace_id, "x")
    ours = begun(trace_id.to_bytes(16, "big"), ratio)

    assert ours.sampled == (theirs.decision is Decision.RECORD_AND_SAMPLE)


def test_a_new_trace_has_no_parent() -> None:
    assert begun(b"t" * 16, 1.0) == Context(b"t" * 16, b"", 1)


def test_ids_are_never_handed_out_twice() -> None:
    ids = Ids(random.Random(7))
    taken = [ids.take(size) for _ in range(300) for size in (8, 16, 24)]

    assert len(set(taken)) == len(taken)
    assert {len(one) for one in taken} == {8, 16, 24}
