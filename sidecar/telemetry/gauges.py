"""What is true now, as the daemon's parts tell it: read once an interval, on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sidecar.telemetry import semconv
from sidecar.telemetry.metrics import Attributes, Point, Published
from sidecar.telemetry.semconv import Kind


class QueueSize(msgspec.Struct, frozen=True):
    """How many requests wait in one queue."""

    name: str
    size: int


class BucketLevel(msgspec.Struct, frozen=True):
    """What one bucket holds; `unit` says of what (requests, tokens, slots)."""

    bucket: str
    available: float
    unit: str = ""


class KeyState(msgspec.Struct, frozen=True):
    """The state one key is in ("ready", "resting"), by its alias; `model` "" means for all."""

    provider: str
    account: str
    key_alias: str
    state: str
    model: str = ""


class BreakerState(msgspec.Struct, frozen=True):
    """The state the breaker of one target is in ("closed", "open", "half_open")."""

    provider: str
    model: str
    state: str


class RetriesLeft(msgspec.Struct, frozen=True):
    """How often one target may be asked again now."""

    provider: str
    model: str
    left: float


class Gauges(msgspec.Struct, frozen=True):
    """One reading of everything."""

    queues: tuple[QueueSize, ...] = ()
    buckets: tuple[BucketLevel, ...] = ()
    keys: tuple[KeyState, ...] = ()
    breakers: tuple[BreakerState, ...] = ()
    retries: tuple[RetriesLeft, ...] = ()
    streams_active: int = 0
    store_mode: str = ""


def published(gauges: Gauges) -> tuple[Published, ...]:
    """The gauges as metrics; those without a reading are left out."""
    made = (_metric(named, points) for named, points in _readings(gauges))
    return tuple(metric for metric in made if metric.points)


def _readings(gauges: Gauges) -> Iterator[tuple[tuple[str, str, str], list[Point]]]:
    sizes = [Point(((semconv.QUEUE_NAME, row.name),), row.size) for row in gauges.queues]
    yield semconv.GAUGE_QUEUE_SIZE, sizes
    levels = [Point(_bucket(row), row.available) for row in gauges.buckets]
    yield semconv.GAUGE_BUCKET_AVAILABLE, levels
    yield semconv.GAUGE_RETRIES_LEFT, [Point(_target(row), row.left) for row in gauges.retries]
    states = [Point(_breaker(row), 1) for row in gauges.breakers]
    yield semconv.GAUGE_BREAKER_STATE, states
    yield semconv.GAUGE_KEY_STATE, [Point(_key(row), 1) for row in gauges.keys]
    yield semconv.GAUGE_STREAM_ACTIVE, [Point((), gauges.streams_active)]
    mode = ((semconv.STORE_MODE, gauges.store_mode),)
    yield semconv.GAUGE_STORE_MODE, [Point(mode, 1)] if gauges.store_mode else []


def _bucket(row: BucketLevel) -> Attributes:
    unit = ((semconv.BUCKET_UNIT, row.unit),) if row.unit else ()
    return ((semconv.BUCKET, row.bucket), *unit)


def _target(row: RetriesLeft | BreakerState) -> Attributes:
    return ((semconv.PROVIDER, row.provider), (semconv.GEN_AI_REQUEST_MODEL, row.model))


def _breaker(row: BreakerState) -> Attributes:
    return (*_target(row), (semconv.BREAKER_STATE, row.state))


def _key(row: KeyState) -> Attributes:
    model = ((semconv.GEN_AI_REQUEST_MODEL, row.model),) if row.model else ()
    return (
        (semconv.PROVIDER, row.provider),
        (semconv.KEY_ACCOUNT, row.account),
        (semconv.KEY_ALIAS, row.key_alias),
        (semconv.KEY_STATE, row.state),
        *model,
    )


def _metric(named: tuple[str, str, str], points: list[Point]) -> Published:
    name, unit, description = named
    # Two points of one metric must not have the same attributes: the last reading counts.
    apart = {point.attributes: point for point in points}
    return Published(name, unit, description, Kind.GAUGE, tuple(apart.values()))
