"""What telemetry is told: values, never the environment."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """Everything that can be chosen. With no `endpoint` nothing is recorded or sent.

    `endpoint` is an OTLP/gRPC address (http:// without TLS, https:// with). `sample_ratio` is for
    traces that begin here; a caller's own decision is always followed. `semconv_opt_in` is a value
    of OTEL_SEMCONV_STABILITY_OPT_IN. `resource` holds further attributes of the process, such as
    those of OTEL_RESOURCE_ATTRIBUTES (see `resource_attributes`).

    The defaults of times and sizes: 1 s, 10 s and 60 s are the OpenTelemetry specification's for
    batches (there 5 s), one export and metrics; 128 KiB is about 60 requests, far below the
    4 MiB a collector accepts; 4 MiB of waiting spans is what may be lost with a collector.
    """

    endpoint: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    service_name: str = "headway"
    service_version: str = ""
    service_instance_id: str = ""
    resource: tuple[tuple[str, str], ...] = ()
    sample_ratio: float = 1.0
    semconv_opt_in: str = ""
    capture_content: bool = False
    export_timeout_s: float = 10.0
    batch_delay_s: float = 1.0
    batch_bytes: int = 131_072
    queue_bytes: int = 4_194_304
    metrics_interval_s: float = 60.0

    @property
    def enabled(self) -> bool:
        return bool(self.endpoint)


def resource_attributes(text: str) -> tuple[tuple[str, str], ...]:
    """The pairs in a value of OTEL_RESOURCE_ATTRIBUTES ("k=v,k2=v2", percent-encoded values).

    A part that is not a pair is ignored, as the specification asks.
    """
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return tuple((name.strip(), unquote(value.strip())) for name, _, value in pairs if name.strip())
