"""The state of the daemon as one message: for each "not now", until when and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp
from headway.v1 import status_pb2

from sidecar.core.clock import Clock
from sidecar.gateway.gateway import Gateway
from sidecar.gateway.journal import Journals
from sidecar.gateway.line import Line
from sidecar.gateway.quota import buckets_of
from sidecar.keys.ring import Key, Standing
from sidecar.limits.bucket import Bucket, Dimension
from sidecar.limits.store import BucketState
from sidecar.routing.breaker import State
from sidecar.server.events import duration

DIMENSIONS = {
    Dimension.REQUESTS: status_pb2.BUCKET_DIMENSION_REQUESTS,
    Dimension.TOKENS: status_pb2.BUCKET_DIMENSION_TOKENS,
    Dimension.INPUT_TOKENS: status_pb2.BUCKET_DIMENSION_INPUT_TOKENS,
    Dimension.OUTPUT_TOKENS: status_pb2.BUCKET_DIMENSION_OUTPUT_TOKENS,
    Dimension.CONCURRENCY: status_pb2.BUCKET_DIMENSION_CONCURRENCY,
}
SOURCES = {
    "config": status_pb2.BUCKET_SOURCE_CONFIG,
    "learned": status_pb2.BUCKET_SOURCE_LEARNED,
}
BREAKERS = {
    State.CLOSED: status_pb2.BREAKER_STATE_CLOSED,
    State.OPEN: status_pb2.BREAKER_STATE_OPEN,
    State.HALF_OPEN: status_pb2.BREAKER_STATE_HALF_OPEN,
}
STATES = {
    "starting": status_pb2.SERVING_STATE_STARTING,
    "serving": status_pb2.SERVING_STATE_SERVING,
    "draining": status_pb2.SERVING_STATE_DRAINING,
}


class ConfigState(msgspec.Struct, frozen=True):
    """The configuration in force; `errors` are (path, message) of the last one refused."""

    version: str
    loaded_ns: int
    errors: tuple[tuple[str, str], ...] = ()
    refused_ns: int = 0


class Daemon(Protocol):
    """What the status tells beyond the gateway's own state."""

    version: str
    started_ns: int

    @property
    def state(self) -> str:
        """starting, serving or draining."""

    @property
    def config(self) -> ConfigState: ...

    @property
    def store_mode(self) -> str:
        """memory or redis."""

    def lines(self) -> Iterable[Line]:
        """Every target known by name, each once."""


class StatusPage:
    """Writes the status; reads only."""

    def __init__(
        self, clock: Clock, gateway: Gateway, journals: Journals, daemon: Callable[[], Daemon]
    ) -> None:
        self._clock = clock
        self._gateway = gateway
        self._journals = journals
        self._daemon = daemon

    def status(self) -> status_pb2.DaemonStatus:
        daemon = self._daemon()
        lines = list(daemon.lines())
        page = status_pb2.DaemonStatus(
            version=daemon.version,
            state=STATES[daemon.state],
            config=_config(daemon.config),
            targets=[self._target(line) for line in lines],
            keys=[self._key(key, lines) for key in self._keys()],
            buckets=[self._bucket(state) for state in self._buckets(lines)],
            breakers=[self._breaker(line) for line in lines],
            queues=self._queues(),
            streams=self._streams(),
            store=self._store(daemon.store_mode),
        )
        page.time.CopyFrom(timestamp(self._clock.wall_ns()))
        page.started.CopyFrom(timestamp(daemon.started_ns))
        return page

    def _target(self, line: Line) -> status_pb2.TargetStatus:
        target = line.target
        routes = self._gateway.world.catalog.routes.values()
        status = status_pb2.TargetStatus(
            provider=target.provider,
            model=target.model,
            routes=[r.name for r in routes if target in r.targets],
            in_flight=self._gateway.parts.traffic.targets[target.name],
        )
        not_now = self._target_obstacle(line)
        if not_now is not None:
            status.not_now.CopyFrom(not_now)
        return status

    def _target_obstacle(self, line: Line) -> status_pb2.NotNow | None:
        now = self._clock.now()
        if line.breaker.ready_at(now) > now:
            return self._not_now("BREAKER_OPEN", line.breaker.ready_at(now))
        ring, model = self._gateway.parts.ring, line.target.model
        keys = ring.keys(line.target.provider)
        if not keys:
            return status_pb2.NotNow(reason="NO_KEY")
        soonest = min((ring.standing(k, model, now) for k in keys), key=lambda s: s.ready_at)
        return self._obstacle(soonest)

    def _obstacle(self, standing: Standing) -> status_pb2.NotNow | None:
        if standing.cause is None:
            return None
        return self._not_now(standing.cause.value, standing.ready_at)

    def _keys(self) -> list[Key]:
        ring = self._gateway.parts.ring
        return [key for provider in ring.providers() for key in ring.keys(provider)]

    def _key(self, key: Key, lines: list[Line]) -> status_pb2.KeyStatus:
        now, parts = self._clock.now(), self._gateway.parts
        use = parts.traffic.key(key.provider, key.alias)
        status = status_pb2.KeyStatus(
            provider=key.provider,
            account=key.account,
            alias=key.alias,
            in_flight=use.in_flight,
            last_failure=use.last_failure,
            same_owner_as=[k.alias for k in parts.ring.sharing(key) if k.alias != key.alias],
        )
        if use.last_used_ns:
            status.last_used.CopyFrom(timestamp(use.last_used_ns))
        models = [line.target.model for line in lines if line.target.provider == key.provider]
        standings = [parts.ring.standing(key, model, now) for model in models]
        latest = max(standings, key=lambda s: s.ready_at, default=Standing(now))
        not_now = self._obstacle(latest)
        if not_now is not None:
            status.not_now.CopyFrom(not_now)
        return status

    def _buckets(self, lines: list[Line]) -> list[BucketState]:
        """Those that were used as they stand, then those that nobody has taken from yet: full."""
        used = list(self._gateway.parts.store.snapshot())
        known = {state.bucket.id for state in used}
        ring, now = self._gateway.parts.ring, self._clock.now()
        others = {
            bucket.id: bucket
            for line in lines
            for key in ring.keys(line.target.provider)
            for reasoning in (False, line.target.reasoning)
            for bucket in buckets_of(line, ring, key, reasoning)
            if bucket.id not in known
        }
        return used + [_full(bucket, now) for bucket in others.values()]

    def _bucket(self, state: BucketState) -> status_pb2.BucketStatus:
        bucket = state.bucket
        status = status_pb2.BucketStatus(
            id=bucket.id,
            dimension=DIMENSIONS[bucket.dimension],
            limit=state.limit_now,
            burst=bucket.burst,
            source=SOURCES[state.source],
            free_now=state.free_now,
            waiting=state.waiting,
        )
        if bucket.dimension is not Dimension.CONCURRENCY:
            status.per.CopyFrom(duration(bucket.per_s))
        if state.next_free_at > self._clock.now() and math.isfinite(state.next_free_at):
            status.next_free_at.CopyFrom(self._wall(state.next_free_at))
        return status

    def _breaker(self, line: Line) -> status_pb2.BreakerStatus:
        now = self._clock.now()
        status = status_pb2.BreakerStatus(
            id=line.target.name,
            state=BREAKERS[line.breaker.state],
            failures=line.breaker.failures,
        )
        if line.breaker.ready_at(now) > now:
            status.not_now.CopyFrom(self._not_now("BREAKER_OPEN", line.breaker.ready_at(now)))
        return status

    def _queues(self) -> list[status_pb2.QueueStatus]:
        now, admission = self._clock.now(), self._gateway.admission
        return [
            status_pb2.QueueStatus(
                id=route,
                waiting=waiting,
                capacity=admission.most_waiting,
                oldest_waited=duration(max(now - oldest, 0.0)) if waiting else None,
            )
            for route, (waiting, oldest) in admission.waiting().items()
        ]

    def _streams(self) -> status_pb2.StreamsStatus:
        admission = self._gateway.admission
        return status_pb2.StreamsStatus(
            active=admission.active,
            waiting=sum(count for count, _ in admission.waiting().values()),
            replayable=len(self._journals),
            requests=admission.total,
        )

    def _store(self, mode: str) -> status_pb2.StoreStatus:
        states = self._gateway.parts.store.snapshot()
        lost = next((s for s in states if s.mode != "exact"), None)
        if mode == "memory":
            return status_pb2.StoreStatus(mode=status_pb2.STORE_MODE_MEMORY, share=1.0)
        if lost is None:
            return status_pb2.StoreStatus(mode=status_pb2.STORE_MODE_REDIS, share=1.0)
        return status_pb2.StoreStatus(mode=status_pb2.STORE_MODE_REDIS_LOST, share=lost.share)

    def _not_now(self, reason: str, until: float) -> status_pb2.NotNow:
        not_now = status_pb2.NotNow(reason=reason)
        if math.isfinite(until):
            not_now.until.CopyFrom(self._wall(until))
        return not_now

    def _wall(self, loop_s: float) -> Timestamp:
        ahead_ns = round((loop_s - self._clock.now()) * 1e9)
        return timestamp(self._clock.wall_ns() + ahead_ns)


def _full(bucket: Bucket, now: float) -> BucketState:
    free = bucket.limit if bucket.dimension is Dimension.CONCURRENCY else bucket.burst
    return BucketState(bucket, bucket.limit, bucket.source, free, now)


def timestamp(wall_ns: int) -> Timestamp:
    return Timestamp(seconds=wall_ns // 1_000_000_000, nanos=wall_ns % 1_000_000_000)


def _config(state: ConfigState) -> status_pb2.ConfigStatus:
    status = status_pb2.ConfigStatus(
        version=state.version,
        errors=[status_pb2.ConfigError(path=path, message=text) for path, text in state.errors],
    )
    status.loaded.CopyFrom(timestamp(state.loaded_ns))
    if state.refused_ns:
        status.refused.CopyFrom(timestamp(state.refused_ns))
    return status
