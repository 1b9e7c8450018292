"""The parts of the status that stand beside the way of a request: store, ledger, exporter."""

from __future__ import annotations

import math

import msgspec
from headway.v1 import status_pb2

from sidecar.core.clock import Clock
from sidecar.server.stamps import not_now, timestamp

STORE_AWAY = "STORE_AWAY"
LEDGER_STUCK = "DISK_REFUSES"
COLLECTOR_AWAY = "COLLECTOR_REFUSES"


class StoreSight(msgspec.Struct, frozen=True):
    """How the buckets are kept: `shared` in Redis or not; `since_ns` that is so (wall clock).

    `lost`: Redis does not answer; `share` of every limit is this daemon's then, and `retry_at` is
    when it is asked again at the latest (loop seconds).
    """

    shared: bool
    since_ns: int
    lost: bool = False
    share: float = 1.0
    retry_at: float = math.inf


class LedgerSight(msgspec.Struct, frozen=True):
    """Entries `written` since start and `pending`; `stuck` while the disk refuses them, to be tried
    again at `retry_at` (loop seconds, infinity: nobody knows)."""

    written: int
    pending: int
    stuck: bool = False
    retry_at: float = math.inf


class ExportSight(msgspec.Struct, frozen=True):
    """Where spans go ("" nowhere), how many were sent and lost; `stuck` while the collector does
    not take them, to be tried again at `retry_at` (loop seconds)."""

    endpoint: str = ""
    sent: int = 0
    dropped: int = 0
    stuck: bool = False
    retry_at: float = math.inf


def store_status(sight: StoreSight, clock: Clock) -> status_pb2.StoreStatus:
    mode = status_pb2.STORE_MODE_REDIS if sight.shared else status_pb2.STORE_MODE_MEMORY
    status = status_pb2.StoreStatus(mode=mode, share=1.0, since=timestamp(sight.since_ns))
    if sight.lost:
        status.mode = status_pb2.STORE_MODE_REDIS_LOST
        status.share = sight.share
        status.not_now.CopyFrom(not_now(STORE_AWAY, sight.retry_at, clock))
    return status


def ledger_status(sight: LedgerSight, clock: Clock) -> status_pb2.LedgerStatus:
    status = status_pb2.LedgerStatus(written=sight.written, pending=sight.pending)
    if sight.stuck:
        status.not_now.CopyFrom(not_now(LEDGER_STUCK, sight.retry_at, clock))
    return status


def telemetry_status(sight: ExportSight, clock: Clock) -> status_pb2.TelemetryStatus:
    status = status_pb2.TelemetryStatus(
        endpoint=sight.endpoint, sent=sight.sent, dropped=sight.dropped
    )
    if sight.stuck:
        status.not_now.CopyFrom(not_now(COLLECTOR_AWAY, sight.retry_at, clock))
    return status
