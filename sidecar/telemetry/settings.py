"""What telemetry is told: values, never the environment."""

from __future__ import annotations

from urllib.parse import unquote

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """Everything that can be chosen. With no `endpoint` nothing is recorded or sent.

    `endpoint` is an OTLP/gRPC address (http:// or unix: without TLS, https:// with; then
    `root_certificates` in PEM replace the system's). `sample_ratio` is for traces that begin here;
    a caller's own decision is always followed. `semconv_opt_in` is a value of
    OTEL_SEMCONV_STABILITY_OPT_IN. `resource` holds further attributes of the process, such as
    those of OTEL_RESOURCE_ATTRIBUTES (see `resource_attributes`).

    The defaults: 10 s for one export and 60 s between metrics are the OpenTelemetry
    specification's. 1 s until a batch leaves is shorter than its 5 s, so that a trace is there when
    one looks for it. 128 KiB is about 60 requests, far below the 4 MiB a collector accepts; 4 MiB
    of waiting spans (2,000 requests) is the memory a dead collector may cost.
    """

    endpoint: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    root_certificates: bytes = b""
    compression: bool = False
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

    def __repr__(self) -> str:
        return f"Settings({self.endpoint!r})"

    @property
    def enabled(self) -> bool:
        return bool(self.endpoint)


def resource_attributes(text: str) -> tuple[tuple[str, str], ...]:
    """The pairs in a value of OTEL_RESOURCE_ATTRIBUTES ("k=v,k2=v2", percent-encoded values).

    A part that is not a pair is ignored, as the specification asks.
    """
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return tuple((name.strip(), unquote(value.strip())) for name, _, value in pairs if name.strip())
