"""Spans written by hand are the same messages that the SDK's encoder writes.

Two differences are meant: the lower flags are the trace's own, and a status that says nothing is
left out, which a receiver cannot tell from an empty one.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.trace import SpanKind as SdkKind

from sidecar.telemetry import wire
from sidecar.telemetry.wire import SpanKind, Writer

from .making import calm

KINDS = {
    SpanKind.INTERNAL: SdkKind.INTERNAL,
    SpanKind.SERVER: SdkKind.SERVER,
    SpanKind.CLIENT: SdkKind.CLIENT,
}
TRACE_FLAGS = 0xFF

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200)
values = st.one_of(
    texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(texts, min_size=1, max_size=3).map(tuple),
)
pairs = st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1), values, max_size=6)
ids64 = st.integers(1, 2**64 - 1)
ids128 = st.integers(1, 2**128 - 1)
times = st.integers(0, 2**63 - 1)


def span_of(encoded: bytes) -> Span:
    (span,) = ScopeSpans.FromString(encoded).spans
    return span


@calm
@given(
    ids128,
    ids64,
    st.none() | ids64,
    texts,
    st.sampled_from(list(SpanKind)),
    times,
    pairs,
    st.booleans(),
    st.booleans(),
)
def test_a_span_equals_the_sdks(  # type: ignore[no-untyped-def]
    trace, own, parent, name, kind, start, attributes, error, remote
) -> None:
    remote = remote and parent is not None
    context = SpanContext(trace, own, is_remote=False, trace_flags=TraceFlags(1))
    above = SpanContext(trace, parent, is_remote=remote) if parent else None
    theirs = ReadableSpan(
        name,
        context,
        above,
        Resource({}),
        attributes,
        kind=KINDS[kind],
        status=Status(StatusCode.ERROR if error else StatusCode.UNSET),
        start_time=start,
        end_time=start + 5,
    )

    writer = Writer()
    ours = writer.span(
        (trace.to_bytes(16, "big"), own.to_bytes(8, "big"), (parent or 0).to_bytes(8, "big"))
        if parent
        else (trace.to_bytes(16, "big"), own.to_bytes(8, "big"), b""),
        name,
        kind,
        (start, start + 5),
        writer.varying(attributes.items()),
        error=error,
        remote_parent=remote,
    )

    (expected,) = encode_spans([theirs]).resource_spans[0].scope_spans[0].spans
    got = span_of(ours)
    assert got.flags & TRACE_FLAGS == 1
    got.flags &= ~TRACE_FLAGS
    got.status.SetInParent()
    assert got == expected


@calm
@given(pairs)
def test_remembered_attributes_are_the_same_the_second_time(attributes) -> None:  # type: ignore[no-untyped-def]
    writer = Writer()
    once = writer.fixed(tuple(attributes.items()))

    assert writer.fixed(tuple(attributes.items())) == once == writer.varying(attributes.items())


def test_links_and_trace_state_equal_the_sdks() -> None:
    other = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1))
    context = SpanContext(1, 2, is_remote=False, trace_state=TraceState([("a", "b")]))
    theirs = ReadableSpan("x", context, links=(Link(other),), start_time=1, end_time=2)
    (expected,) = encode_spans([theirs]).resource_spans[0].scope_spans[0].spans

    extra = wire.trace_state("a=b") + wire.link((7).to_bytes(16), (8).to_bytes(8), 1)
    ids = ((1).to_bytes(16), (2).to_bytes(8), b"")
    got = span_of(Writer().span(ids, "x", SpanKind.INTERNAL, (1, 2), b"", extra=extra))

    assert got.trace_state == expected.trace_state
    assert got.links[0].trace_id == expected.links[0].trace_id
    assert got.links[0].span_id == expected.links[0].span_id
    assert got.links[0].flags == expected.links[0].flags | 1


def test_a_whole_request_equals_the_sdks() -> None:
    context = SpanContext(1, 2, is_remote=False)
    scope = InstrumentationScope("headway", "0.1.0", "https://schema")
    about = Resource({"service.name": "headway"})
    theirs = encode_spans(
        [
            ReadableSpan(
                "x", context, resource=about, instrumentation_scope=scope, start_time=1, end_time=2
            )
        ]
    )

    writer = Writer()
    ids = ((1).to_bytes(16), (2).to_bytes(8), b"")
    span = writer.span(ids, "x", SpanKind.INTERNAL, (1, 2), b"", flags=0)
    resource = writer.resource((("service.name", "headway"),))
    ours = wire.export_request(resource, ("headway", "0.1.0"), "https://schema", span)

    got = ExportTraceServiceRequest.FromString(ours)
    got.resource_spans[0].scope_spans[0].spans[0].status.SetInParent()
    assert got == theirs


def test_nothing_is_written_for_an_attribute_without_a_value() -> None:
    assert Writer().varying((("a", None), ("b", ""))) == b""


def test_a_lone_surrogate_does_not_fail_a_span() -> None:
    encoded = Writer().varying((("a", "x\ud800y"),))

    assert Span.FromString(encoded).attributes[0].value.string_value == "x?y"


def test_a_long_text_is_cut() -> None:
    encoded = Writer().varying((("a", "x" * 10_000),))

    assert len(Span.FromString(encoded).attributes[0].value.string_value) == wire.MAX_TEXT


def test_an_end_before_the_start_is_moved_to_it() -> None:
    ids = (b"t" * 16, b"s" * 8, b"")
    span = span_of(Writer().span(ids, "x", SpanKind.INTERNAL, (9, 5), b""))

    assert span.end_time_unix_nano == 9


def test_what_is_remembered_is_bounded() -> None:
    writer = Writer()
    for number in range(5_000):
        writer.fixed((("a", str(number)),))

    assert len(writer._groups) <= wire.CACHE_ENTRIES
