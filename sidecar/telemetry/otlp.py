"""The way to a collector: the SDK's OTLP/gRPC exporters, fed with what this room made.

Importing this costs about 150 ms and 5 MB, so nobody imports it before the daemon is ready:
`export` does, in its own thread. The exporters bring channel, TLS, headers, compression and
retries. Spans come as bytes (see `wire`), metrics as the SDK's own data types.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Protocol

from opentelemetry.exporter.otlp.proto.grpc.exporter import OTLPExporterMixin
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version

from sidecar.telemetry import semconv, wire
from sidecar.telemetry.metrics import Point, Published
from sidecar.telemetry.semconv import Kind
from sidecar.telemetry.settings import Settings

SCOPE = "headway"
_SDK_LOGGER = "opentelemetry.exporter.otlp.proto.grpc.exporter"
_CUMULATIVE = AggregationTemporality.CUMULATIVE


class Channel(Protocol):
    """The part of a gRPC channel that is used here."""

    def unary_unary(self, method: str, **serializers: Any) -> Any:
        """A callable for one method."""


class _SpanStub:
    """TraceService with requests that are bytes already."""

    def __init__(self, channel: Channel) -> None:
        self.Export = channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            request_serializer=None,
            response_deserializer=None,
        )


class _SpanExporter(OTLPExporterMixin):  # type: ignore[type-arg]  # its type variables know no bytes
    """The SDK's exporter for requests that are encoded already."""

    _exporting = "traces"

    def _translate_data(self, data: bytes) -> bytes:
        return data

    def _count_data(self, data: bytes) -> int:
        return len(data)

    def export(self, request: bytes) -> bool:
        """Send one ExportTraceServiceRequest; retries within the timeout, then gives up."""
        return bool(self._export(request) is SpanExportResult.SUCCESS)


class _LastWord(logging.Filter):
    """Keeps what the SDK's exporters would log at every failure: we say it once, ourselves."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        self.text = record.getMessage()
        return False


class OtlpTransport:
    """Blocking sends to one collector; `close` may be called from another thread and ends them."""

    def __init__(self, settings: Settings) -> None:
        insecure = not settings.endpoint.startswith("https://")
        common: dict[str, Any] = {
            "endpoint": settings.endpoint,
            "insecure": insecure,
            "headers": tuple((name.lower(), value) for name, value in settings.headers),
            "timeout": settings.export_timeout_s,
        }
        self._spans = _SpanExporter(stub=_SpanStub, result=SpanExportResult, **common)
        self._metrics = OTLPMetricExporter(**common)
        described = resource(settings)
        self._resource = wire.Writer().resource(described)
        self._sdk_resource = Resource(dict(described))
        self._version = settings.service_version
        self._schema_url = schema_url(settings)
        self._last_word = _LastWord()
        logging.getLogger(_SDK_LOGGER).addFilter(self._last_word)

    def send_spans(self, spans: bytes) -> str:
        """Send encoded spans; "" if the collector took them, else what went wrong."""
        scope = (SCOPE, self._version)
        request = wire.export_request(self._resource, scope, self._schema_url, spans)
        return self._result(self._spans.export(request))

    def send_metrics(self, metrics: tuple[Published, ...], start_ns: int, now_ns: int) -> str:
        """Send a snapshot taken at `now_ns` of what was counted since `start_ns`."""
        data = metrics_data(metrics, self._sdk_resource, self._version, start_ns, now_ns)
        return self._result(self._metrics.export(data) is MetricExportResult.SUCCESS)

    def close(self) -> None:
        self._spans.shutdown()
        self._metrics.shutdown()
        logging.getLogger(_SDK_LOGGER).removeFilter(self._last_word)

    def _result(self, success: bool) -> str:
        return "" if success else self._last_word.text or "the collector did not take it"


def connect(settings: Settings) -> OtlpTransport:
    """A transport to the configured collector; connecting itself happens with the first send."""
    return OtlpTransport(settings)


def resource(settings: Settings) -> tuple[tuple[str, str], ...]:
    """The process as the resource conventions describe it; configured attributes come last."""
    given = {
        "service.name": settings.service_name,
        "service.version": settings.service_version,
        "service.instance.id": settings.service_instance_id,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": sdk_version,
    } | dict(settings.resource)
    return tuple((name, value) for name, value in given.items() if value)


def schema_url(settings: Settings) -> str:
    """Only one generation has one schema; two together have none."""
    profiles = semconv.profiles(settings.semconv_opt_in)
    return profiles[0].schema_url if len(profiles) == 1 else ""


def metrics_data(
    metrics: Iterable[Published], about: Resource, version: str, start_ns: int, now_ns: int
) -> MetricsData:
    """A snapshot in the SDK's types, cumulative since `start_ns`."""
    made = [_metric(metric, start_ns, now_ns) for metric in metrics]
    scoped = ScopeMetrics(InstrumentationScope(SCOPE, version), made, "")
    return MetricsData([ResourceMetrics(about, [scoped], "")])


def _metric(metric: Published, start_ns: int, now_ns: int) -> Metric:
    data: HistogramData | Sum | Gauge
    if metric.kind is Kind.HISTOGRAM:
        measured = [_histogram(point, start_ns, now_ns) for point in metric.points]
        data = HistogramData(measured, _CUMULATIVE)
    elif metric.kind is Kind.COUNTER:
        data = Sum([_number(point, start_ns, now_ns) for point in metric.points], _CUMULATIVE, True)
    else:
        data = Gauge([_number(point, start_ns, now_ns) for point in metric.points])
    return Metric(metric.name, metric.description, metric.unit, data)


def _number(point: Point, start_ns: int, now_ns: int) -> NumberDataPoint:
    return NumberDataPoint(dict(point.attributes), start_ns, now_ns, point.value)


def _histogram(point: Point, start_ns: int, now_ns: int) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=dict(point.attributes),
        start_time_unix_nano=start_ns,
        time_unix_nano=now_ns,
        count=sum(point.counts),
        sum=point.value,
        bucket_counts=point.counts,
        explicit_bounds=point.bounds,
        min=point.low,
        max=point.high,
    )
