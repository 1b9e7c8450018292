"""Traces and metrics by the OpenTelemetry conventions for GenAI and RPC, and the daemon's log.

Belongs here: the record of a request, its span tree, what is counted, how both get to a collector,
and every name in one file (`semconv`). Does not: any decision about a request, anything per token,
anything a request could wait for, and the environment.
"""

from sidecar.telemetry.export import ExportStatus
from sidecar.telemetry.gauges import BucketLevel, Gauges, KeyState, QueueSize
from sidecar.telemetry.settings import Settings, resource_attributes
from sidecar.telemetry.trace import AttemptTrace, Output, RequestTrace, Telemetry

__all__ = [
    "AttemptTrace",
    "BucketLevel",
    "ExportStatus",
    "Gauges",
    "KeyState",
    "Output",
    "QueueSize",
    "RequestTrace",
    "Settings",
    "Telemetry",
    "resource_attributes",
]
