"""A real OTLP/gRPC collector in this process: healthy, refusing, or holding its answer back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc


class Collector(trace_grpc.TraceServiceServicer, metrics_grpc.MetricsServiceServicer):
    """Keeps what it is sent. While `hold` is set a call is not answered until it is cleared."""

    def __init__(self) -> None:
        self.traces: list[Any] = []
        self.metrics: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self.arrived = threading.Event()
        self.released = threading.Event()
        self.released.set()
        self.refuse: grpc.StatusCode | None = None
        self.rejected_spans = 0
        self.endpoint = ""
        self._server = grpc.server(ThreadPoolExecutor(4))
        trace_grpc.add_TraceServiceServicer_to_server(self, self._server)
        metrics_grpc.add_MetricsServiceServicer_to_server(_Metrics(self), self._server)

    def start(self, address: str = "127.0.0.1:0", credentials: Any = None) -> int:
        """Listen at `address`, with TLS where there are credentials; the port."""
        server = self._server
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
        server.start()
        return port

    def hold(self) -> None:
        """From now on answer nothing until `released` is set."""
        self.released.clear()

    def handle(self, kept: list[Any], request: Any, context: grpc.ServicerContext) -> None:
        self.metadata.append({key: value for key, value in context.invocation_metadata()})
        self.arrived.set()
        self.released.wait()
        if self.refuse is not None:
            context.abort(self.refuse, "not today")
        kept.append(request)

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.handle(self.traces, request, context)
        response = trace_pb2.ExportTraceServiceResponse()
        response.partial_success.rejected_spans = self.rejected_spans
        return response

    def close(self) -> None:
        self.released.set()
        self._server.stop(None).wait()

    @property
    def spans(self) -> list[Any]:
        """All spans received, in order."""
        return [
            span
            for request in self.traces
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    def metric(self, name: str) -> Any:
        """The metric called `name` in the last export."""
        return self.named_metrics[name]

    @property
    def named_metrics(self) -> dict[str, Any]:
        """The metrics of the last export by name."""
        scope = self.metrics[-1].resource_metrics[0].scope_metrics[0]
        return {metric.name: metric for metric in scope.metrics}


class _Metrics(metrics_grpc.MetricsServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._collector.handle(self._collector.metrics, request, context)
        return metrics_pb2.ExportMetricsServiceResponse()


def value_of(any_value: Any) -> Any:
    """The Python value in an AnyValue."""
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(item) for item in any_value.array_value.values]
    return getattr(any_value, kind)


def attributes(holder: Any) -> dict[str, Any]:
    """The attributes of a span, data point or resource."""
    return {pair.key: value_of(pair.value) for pair in holder.attributes}
