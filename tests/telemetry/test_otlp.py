"""The real export, end to end: a daemon's telemetry as a collector receives it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc.aio import AioRpcError, Metadata
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.proto.trace.v1.trace_pb2 import Status as SpanStatus

from sidecar.telemetry import Gauges, KeyState, Settings, otlp, semconv

from .collector import Collector, attributes
from .making import MS, PARENT_ID, T0, TRACE_ID, failed_over, simple, telemetry

pytestmark = pytest.mark.process


async def sent(collector: Collector, make=failed_over, **options: object) -> None:  # type: ignore[no-untyped-def]
    """Run one request through real telemetry and close it, so that everything has arrived."""
    owner = telemetry(collector.endpoint, **options)
    owner.start()
    make(owner)
    await owner.aclose(20)
    assert owner.status().spans_dropped == 0


async def test_two_attempts_become_one_tree(collector: Collector) -> None:
    await sent(collector)

    names = {span.span_id: span.name for span in collector.spans}
    tree = [(names.get(span.parent_span_id, "caller"), span.name) for span in collector.spans]
    assert tree == [
        ("caller", "headway.v1.CompletionService/StreamCompletion"),
        ("headway.v1.CompletionService/StreamCompletion", "chat default"),
        ("chat default", "headway.queue"),
        ("chat default", "headway.backoff"),
        ("chat default", "headway.attempt"),
        ("headway.attempt", "POST"),
        ("chat default", "headway.attempt"),
        ("headway.attempt", "POST"),
        ("POST", "headway.phase reasoning"),
        ("POST", "headway.phase answer"),
    ]


async def test_the_tree_is_the_callers_trace(collector: Collector) -> None:
    await sent(collector)

    assert {span.trace_id.hex() for span in collector.spans} == {TRACE_ID}
    assert collector.spans[0].parent_span_id.hex() == PARENT_ID


async def test_each_span_has_its_kind(collector: Collector) -> None:
    await sent(collector)

    kinds = {span.name: Span.SpanKind.Name(span.kind) for span in collector.spans}
    assert kinds == {
        "headway.v1.CompletionService/StreamCompletion": "SPAN_KIND_SERVER",
        "chat default": "SPAN_KIND_CLIENT",
        "headway.queue": "SPAN_KIND_INTERNAL",
        "headway.attempt": "SPAN_KIND_INTERNAL",
        "headway.backoff": "SPAN_KIND_INTERNAL",
        "POST": "SPAN_KIND_CLIENT",
        "headway.phase reasoning": "SPAN_KIND_INTERNAL",
        "headway.phase answer": "SPAN_KIND_INTERNAL",
    }


async def test_a_failed_attempt_colours_only_itself(collector: Collector) -> None:
    await sent(collector)

    red = [span for span in collector.spans if span.status.code == SpanStatus.STATUS_CODE_ERROR]
    assert [(span.name, attributes(span)["error.type"]) for span in red] == [
        ("headway.attempt", "429"),
        ("POST", "429"),
    ]
    assert [attributes(span).get("headway.attempt.number") for span in red] == [1, None]


async def test_the_resource_names_the_process(collector: Collector) -> None:
    own = (("k8s.pod.name", "shop-1"),)
    await sent(collector, service_version="0.1.0", service_instance_id="i-1", resource=own)

    resource = attributes(collector.traces[0].resource_spans[0].resource)
    assert resource == {
        "service.name": "headway",
        "service.version": "0.1.0",
        "service.instance.id": "i-1",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "headway",
        "telemetry.sdk.version": "0.1.0",
        "k8s.pod.name": "shop-1",
    }
    assert attributes(collector.metrics[0].resource_metrics[0].resource)["k8s.pod.name"] == "shop-1"


async def test_the_scope_names_headway_and_the_schema(collector: Collector) -> None:
    await sent(collector, service_version="0.1.0")

    scope_spans = collector.traces[0].resource_spans[0].scope_spans[0]
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("headway", "0.1.0")
    assert scope_spans.schema_url == semconv.V1_41.schema_url


async def test_configured_headers_reach_the_collector(collector: Collector) -> None:
    await sent(collector, headers=(("X-Tenant", "shop"),))

    assert all(metadata["x-tenant"] == "shop" for metadata in collector.metadata)


async def test_a_histogram_arrives_with_bounds_counts_and_sum(collector: Collector) -> None:
    await sent(collector, simple)

    histogram = collector.metric("gen_ai.client.operation.duration").histogram
    assert histogram.aggregation_temporality == (
        AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    )
    (point,) = histogram.data_points
    assert tuple(point.explicit_bounds) == semconv.SECONDS
    assert list(point.bucket_counts) == [0, 0, 0, 0, 1, *[0] * 10]
    assert (point.count, point.sum, point.min, point.max) == (1, 0.1, 0.1, 0.1)
    assert point.start_time_unix_nano == T0


async def test_a_counter_arrives_as_a_monotonic_sum(collector: Collector) -> None:
    await sent(collector)

    total = collector.metric("headway.failover.count").sum
    assert total.is_monotonic
    assert [(point.as_int, attributes(point)) for point in total.data_points] == [
        (
            1,
            {
                "headway.failover.from": "deepseek",
                "headway.failover.to": "mistral_ai",
                "headway.failover.reason": "RATE_LIMITED",
            },
        )
    ]


async def test_the_daemons_state_arrives_as_gauges(collector: Collector) -> None:
    keys = (KeyState("deepseek", "team-a", "a1", "resting"),)
    await sent(collector, status=lambda: Gauges(keys=keys, streams_active=3))

    assert collector.metric("headway.stream.active").gauge.data_points[0].as_int == 3
    (point,) = collector.metric("headway.key.state").gauge.data_points
    assert attributes(point) == {
        "headway.provider": "deepseek",
        "headway.key.account": "team-a",
        "headway.key.alias": "a1",
        "headway.key.state": "resting",
    }


async def test_a_refusing_collector_is_told_once_and_spans_are_counted(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.refuse = grpc.StatusCode.PERMISSION_DENIED
    owner = telemetry(collector.endpoint)
    owner.start()
    for _ in range(3):
        simple(owner)
    await owner.aclose(20)

    status = owner.status()
    assert (status.spans_sent, status.spans_dropped) == (0, 18)
    assert "PERMISSION_DENIED" in status.trouble
    assert [record.name for record in caplog.records] == ["headway.telemetry"]


def test_two_generations_together_have_no_schema() -> None:
    both = Settings(semconv_opt_in="gen_ai_latest_experimental/dup")

    assert otlp.schema_url(both) == ""


async def test_a_span_ends_when_its_request_did(collector: Collector) -> None:
    await sent(collector, simple)

    server = collector.spans[0]
    assert (server.start_time_unix_nano, server.end_time_unix_nano) == (T0, T0 + 100 * MS)


async def test_a_collector_that_is_not_there_loses_telemetry_and_nothing_else() -> None:
    owner = telemetry("http://127.0.0.1:9")
    owner.start()
    for _ in range(3):
        simple(owner)
    await owner.aclose(20)

    status = owner.status()
    assert (status.spans_sent, status.spans_dropped) == (0, 18)
    assert status.trouble.startswith("UNAVAILABLE")


async def test_a_collector_that_hangs_holds_up_nobody(collector: Collector) -> None:
    collector.hold()
    owner = telemetry(collector.endpoint, batch_bytes=1, queue_bytes=10_000)
    owner.start()
    simple(owner)
    await asyncio.to_thread(collector.arrived.wait, 20)
    for _ in range(100):
        simple(owner)
    assert owner.status().bytes_waiting <= 10_000

    await owner.aclose(0.05)
    assert owner.status().spans_dropped == 101 * 6


async def test_a_collector_that_is_slow_gets_everything(collector: Collector) -> None:
    collector.hold()
    owner = telemetry(collector.endpoint, batch_bytes=1)
    owner.start()
    simple(owner)
    await asyncio.to_thread(collector.arrived.wait, 20)
    for _ in range(10):
        simple(owner)
    collector.released.set()
    await owner.aclose(20)

    assert len(collector.spans) == 11 * 6


async def test_a_collector_that_comes_back_gets_what_waited(collector: Collector) -> None:
    collector.refuse = grpc.StatusCode.UNAVAILABLE
    owner = telemetry(collector.endpoint, batch_bytes=1)
    owner.start()
    simple(owner)
    await asyncio.to_thread(collector.arrived.wait, 20)
    collector.refuse = None
    await owner.aclose(20)

    assert owner.status().spans_dropped == 0
    assert len(collector.spans) == 6


async def test_spans_a_collector_rejects_are_counted(collector: Collector) -> None:
    collector.rejected_spans = 2
    owner = telemetry(collector.endpoint)
    owner.start()
    simple(owner)
    await owner.aclose(20)

    assert (owner.status().spans_sent, owner.status().spans_dropped) == (4, 2)


async def test_a_collector_on_a_unix_socket_is_reached(silent: Collector, tmp_path: Path) -> None:
    silent.endpoint = f"unix:{tmp_path}/otel.sock"
    silent.start(silent.endpoint)
    await sent(silent, simple)

    assert len(silent.spans) == 6


async def test_a_collector_with_a_certificate_is_checked_by_it(
    silent: Collector, tmp_path: Path
) -> None:
    certificate, key = certified(tmp_path)
    port = silent.start("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    silent.endpoint = f"https://localhost:{port}"
    await sent(silent, simple, root_certificates=certificate)

    assert len(silent.spans) == 6


async def test_a_certificate_nobody_vouches_for_is_refused(
    silent: Collector, tmp_path: Path
) -> None:
    certificate, key = certified(tmp_path)
    port = silent.start("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    owner = telemetry(f"https://localhost:{port}")
    owner.start()
    simple(owner)
    await owner.aclose(20)

    assert silent.spans == []
    assert owner.status().spans_dropped == 6


def certified(folder: Path) -> tuple[bytes, bytes]:
    """A certificate for localhost that vouches for itself, and its key, both in PEM."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key)),
            *("-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate.read_bytes(), key.read_bytes()


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        ("http://localhost:4317", "localhost:4317"),
        ("http://localhost:4317/", "localhost:4317"),
        ("https://otel.example.com", "otel.example.com:4317"),
        ("otel:4000", "otel:4000"),
        ("http://[::1]:4317", "[::1]:4317"),
        ("unix:///run/otel.sock", "unix:///run/otel.sock"),
    ],
)
def test_an_endpoint_names_a_target(endpoint: str, target: str) -> None:
    assert otlp.target(endpoint) == target


RETRIED = ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS")


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_the_codes_to_repeat_are_those_of_otlp(code: grpc.StatusCode) -> None:
    assert otlp.refused(failure(code)).retry == (code.name in RETRIED)


def test_exhausted_is_repeated_only_when_the_collector_says_when() -> None:
    info = Any()
    info.Pack(RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000)))
    status = Status(code=8, message="full", details=[info])
    told = Metadata(("grpc-status-details-bin", status.SerializeToString()))
    answer = otlp.refused(failure(grpc.StatusCode.RESOURCE_EXHAUSTED, told))

    assert (answer.retry, answer.after_s) == (True, 2.5)


def failure(code: grpc.StatusCode, trailing: Metadata | None = None) -> AioRpcError:
    return AioRpcError(code, Metadata(), trailing or Metadata(), details="full")
