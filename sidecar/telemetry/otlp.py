"""The way to a collector: OTLP/gRPC over the gRPC library that the daemon runs on anyway.

The SDK's exporter would bring 11 MB, 0.2 s of imports and a thread (docs/decisions/0008). Here a
call is one more task of the event loop; nothing blocks, and a cancelled task ends its call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import grpc.aio
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service
from opentelemetry.proto.metrics.v1 import metrics_pb2

from sidecar.telemetry import semconv, wire
from sidecar.telemetry.export import Answer
from sidecar.telemetry.metrics import Attributes, Point, Published
from sidecar.telemetry.semconv import Kind
from sidecar.telemetry.settings import Settings

SCOPE = "headway"
DEFAULT_PORT = 4317
"""The port of OTLP/gRPC."""

_PACKAGE = "opentelemetry.proto.collector"
_CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
_OPTIONS = (("grpc.max_reconnect_backoff_ms", 10_000),)
_MAX_TROUBLE = 300
_CODE = grpc.StatusCode
_RETRYABLE = frozenset(
    (
        *(_CODE.CANCELLED, _CODE.DEADLINE_EXCEEDED, _CODE.ABORTED),
        *(_CODE.OUT_OF_RANGE, _CODE.UNAVAILABLE, _CODE.DATA_LOSS),
    )
)
"""OTLP specification, table of gRPC codes; RESOURCE_EXHAUSTED only where it says when."""


class OtlpTransport:
    """Sends to one collector. Make it on the running loop; it connects with the first send."""

    def __init__(self, settings: Settings) -> None:
        self._channel = channel(settings)
        self._settings = settings
        self._metadata = tuple((name.lower(), value) for name, value in settings.headers)
        self._spans: Any = self._channel.unary_unary(
            f"/{_PACKAGE}.trace.v1.TraceService/Export",
            response_deserializer=trace_service.ExportTraceServiceResponse.FromString,
        )
        self._metrics: Any = self._channel.unary_unary(
            f"/{_PACKAGE}.metrics.v1.MetricsService/Export",
            request_serializer=metrics_service.ExportMetricsServiceRequest.SerializeToString,
            response_deserializer=metrics_service.ExportMetricsServiceResponse.FromString,
        )
        self._resource = wire.Writer().resource(resource(settings))
        self._schema_url = schema_url(settings)

    async def send_spans(self, spans: bytes) -> Answer:
        """Send encoded spans, one after another."""
        scope = (SCOPE, self._settings.service_version)
        request = wire.export_request(self._resource, scope, self._schema_url, spans)
        answer, response = await self._call(self._spans, request)
        if response is None or not response.partial_success.rejected_spans:
            return answer
        partial = response.partial_success
        return Answer(partial.error_message[:_MAX_TROUBLE], rejected=partial.rejected_spans)

    async def send_metrics(
        self, metrics: tuple[Published, ...], start_ns: int, now_ns: int
    ) -> Answer:
        """Send a snapshot taken at `now_ns` of what was counted since `start_ns`."""
        request = metrics_service.ExportMetricsServiceRequest()
        about = request.resource_metrics.add()
        about.resource.MergeFromString(self._resource)
        scope = about.scope_metrics.add()
        scope.scope.name, scope.scope.version = SCOPE, self._settings.service_version
        for metric in metrics:
            fill_metric(scope.metrics.add(), metric, start_ns, now_ns)
            # A metric may have thousands of points: the streams go on between two of them.
            await asyncio.sleep(0)
        return (await self._call(self._metrics, request))[0]

    async def close(self) -> None:
        await self._channel.close()

    async def _call(self, method: Any, request: Any) -> tuple[Answer, Any]:
        timeout = self._settings.export_timeout_s
        try:
            response = await method(request, timeout=timeout, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            return refused(error), None
        return Answer(), response


def channel(settings: Settings) -> grpc.aio.Channel:
    """A channel for the endpoint: https:// with TLS, everything else without."""
    compression = grpc.Compression.Gzip if settings.compression else None
    where = target(settings.endpoint)
    if not settings.endpoint.startswith("https://"):
        return grpc.aio.insecure_channel(where, options=_OPTIONS, compression=compression)
    credentials = grpc.ssl_channel_credentials(settings.root_certificates or None)
    return grpc.aio.secure_channel(where, credentials, options=_OPTIONS, compression=compression)


def target(endpoint: str) -> str:
    """The gRPC target of an OTLP endpoint; unix: addresses stay as they are."""
    if endpoint.startswith("unix:"):
        return endpoint
    parts = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or DEFAULT_PORT}"


def refused(error: grpc.aio.AioRpcError) -> Answer:
    """What a failed call means: whether it may be repeated, and when at the earliest."""
    trouble = f"{error.code().name}: {error.details()}"[:_MAX_TROUBLE]
    told = _retry_after_s(error)
    if error.code() is _CODE.RESOURCE_EXHAUSTED:
        return Answer(trouble, retry=told is not None, after_s=told or 0.0)
    return Answer(trouble, retry=error.code() in _RETRYABLE, after_s=told or 0.0)


def _retry_after_s(error: grpc.aio.AioRpcError) -> float | None:
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return None
    for detail in status.details if status else ():
        info = RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None


def resource(settings: Settings) -> tuple[tuple[str, str], ...]:
    """The process as the resource conventions describe it; configured attributes win."""
    given = {
        "service.name": settings.service_name,
        "service.version": settings.service_version,
        "service.instance.id": settings.service_instance_id,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": SCOPE,
        "telemetry.sdk.version": settings.service_version,
    } | dict(settings.resource)
    return tuple((name, value) for name, value in given.items() if value)


def schema_url(settings: Settings) -> str:
    """Only one generation has one schema; two together have none."""
    profiles = semconv.profiles(settings.semconv_opt_in)
    return profiles[0].schema_url if len(profiles) == 1 else ""


def fill_metric(out: metrics_pb2.Metric, metric: Published, start_ns: int, now_ns: int) -> None:
    """Write `metric` into an empty message; sums and histograms are cumulative."""
    out.name, out.unit, out.description = metric.name, metric.unit, metric.description
    if metric.kind is Kind.HISTOGRAM:
        out.histogram.aggregation_temporality = _CUMULATIVE
        _fill_histogram(out.histogram.data_points, metric.points, start_ns, now_ns)
        return
    if metric.kind is Kind.COUNTER:
        out.sum.aggregation_temporality = _CUMULATIVE
        out.sum.is_monotonic = True
        _fill_numbers(out.sum.data_points, metric.points, start_ns, now_ns)
        return
    _fill_numbers(out.gauge.data_points, metric.points, 0, now_ns)


def _fill_numbers(out: Any, points: Iterable[Point], start_ns: int, now_ns: int) -> None:
    for point in points:
        made = out.add(start_time_unix_nano=start_ns, time_unix_nano=now_ns)
        if isinstance(point.value, int):
            made.as_int = point.value
        else:
            made.as_double = point.value
        _fill_attributes(made.attributes, point.attributes)


def _fill_histogram(out: Any, points: Iterable[Point], start_ns: int, now_ns: int) -> None:
    for point in points:
        made = out.add(
            start_time_unix_nano=start_ns,
            time_unix_nano=now_ns,
            count=sum(point.counts),
            sum=point.value,
            bucket_counts=point.counts,
            explicit_bounds=point.bounds,
            min=point.low,
            max=point.high,
        )
        _fill_attributes(made.attributes, point.attributes)


def _fill_attributes(out: Any, attributes: Attributes) -> None:
    for name, value in attributes:
        made = out.add(key=name)
        if isinstance(value, str):
            # Lone surrogates cannot be encoded; a metric must not fail for that.
            made.value.string_value = value.encode("utf-8", "replace").decode()
        elif isinstance(value, bool):
            made.value.bool_value = value
        else:
            made.value.int_value = value
