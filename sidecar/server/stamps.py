"""Times on the wire: the loop's and the wall's as google.protobuf.Timestamp."""

from __future__ import annotations

import math

from google.protobuf.timestamp_pb2 import Timestamp
from headway.v1 import status_pb2

from sidecar.core.clock import Clock


def timestamp(wall_ns: int) -> Timestamp:
    return Timestamp(seconds=wall_ns // 1_000_000_000, nanos=wall_ns % 1_000_000_000)


def wall(loop_s: float, clock: Clock) -> Timestamp:
    """A moment of the loop's as the wall clock will show it."""
    return timestamp(clock.wall_ns() + round((loop_s - clock.now()) * 1e9))


def not_now(reason: str, until: float, clock: Clock) -> status_pb2.NotNow:
    """`until` in loop seconds; infinity says nothing of when."""
    found = status_pb2.NotNow(reason=reason)
    if math.isfinite(until):
        found.until.CopyFrom(wall(until, clock))
    return found
