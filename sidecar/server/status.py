"""The state of the daemon as one message: for each "not now", until when and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec
from headway.v1 import status_pb2

from sidecar.core.clock import Clock
from sidecar.gateway.admission import QueueView
from sidecar.gateway.gateway import Gateway
from sidecar.gateway.journal import Journals
from sidecar.gateway.line import Line
from sidecar.gateway.quota import buckets_of
from sidecar.gateway.watchdog import Stage, Waits
from sidecar.keys.ring import Key, Standing
from sidecar.limits.bucket import Bucket, Dimension
from sidecar.limits.store import BucketState
from sidecar.routing.breaker import State
from sidecar.server.beside import (
    ExportSight,
    LedgerSight,
    StoreSight,
    ledger_status,
    store_status,
    telemetry_status,
)
from sidecar.server.budgets import budgets
from sidecar.server.events import duration
from sidecar.server.stamps import not_now, timestamp, wall
from sidecar.server.waiting import Soonest, soonest_of

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
# A status names so many callers of a queue; they may be any words of the callers' own.
MOST_CALLERS = 100
EMPTY = QueueView(0, math.inf, {}, 0.0)
STATES = {
    "starting": status_pb2.SERVING_STATE_STARTING,
    "serving": status_pb2.SERVING_STATE_SERVING,
    "draining": status_pb2.SERVING_STATE_DRAINING,
}


STAGES = {
    Stage.HEADERS: status_pb2.ATTEMPT_STAGE_HEADERS,
    Stage.FIRST: status_pb2.ATTEMPT_STAGE_FIRST_TOKEN,
    Stage.REASONING: status_pb2.ATTEMPT_STAGE_REASONING,
    Stage.ANSWER: status_pb2.ATTEMPT_STAGE_ANSWER,
    Stage.TAIL: status_pb2.ATTEMPT_STAGE_END,
    Stage.PAUSED: status_pb2.ATTEMPT_STAGE_CALLER,
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
    def store(self) -> StoreSight: ...

    @property
    def ledger(self) -> LedgerSight: ...

    @property
    def exporter(self) -> ExportSight: ...

    def lines(self) -> Iterable[Line]:
        """Every target known by name, each once."""


class Queued(msgspec.Struct, frozen=True):
    """Who waits for what: by target and by route what stands in the way, by bucket how many wait,
    by route the queue."""

    targets: Mapping[str, Soonest]
    routes: Mapping[str, Soonest]
    buckets: Counter[str]
    queues: Mapping[str, QueueView]


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
        daemon, now = self._daemon(), self._clock.now()
        lines = list(daemon.lines())
        states = self._buckets(lines)
        waits = self._waits(lines, {state.bucket.id: state for state in states}, now)
        page = status_pb2.DaemonStatus(
            version=daemon.version,
            state=STATES[daemon.state],
            config=_config(daemon.config),
            budgets=budgets(self._gateway.parts.spending),
            targets=[self._target(line, waits.targets[line.target.name]) for line in lines],
            keys=[self._key(key, lines) for key in self._keys()],
            buckets=[self._bucket(state, waits.buckets[state.bucket.id]) for state in states],
            breakers=[self._breaker(line, daemon.started_ns) for line in lines],
            queues=[self._queue(route, waits) for route in waits.routes],
            streams=self._streams(),
            store=store_status(daemon.store, self._clock),
            ledger=ledger_status(daemon.ledger, self._clock),
            telemetry=telemetry_status(daemon.exporter, self._clock),
        )
        page.time.CopyFrom(timestamp(self._clock.wall_ns()))
        page.started.CopyFrom(timestamp(daemon.started_ns))
        return page

    def _waits(self, lines: list[Line], states: Mapping[str, BucketState], now: float) -> Queued:
        """Who waits for what. Those in a queue wait for whatever its head waits for."""
        ring, queues = self._gateway.parts.ring, self._gateway.admission.queues()
        targets = {line.target.name: soonest_of(line, ring, states, now) for line in lines}
        routes = {
            route.name: min(
                (targets[target.name] for target in route.targets), key=lambda s: s.ready_at
            )
            for route in self._gateway.world.catalog.routes.values()
        }
        # Whoever names a target directly waits in a queue of that name.
        routes |= {name: targets.get(name, Soonest(now)) for name in queues.keys() - routes}
        buckets: Counter[str] = Counter()
        for name, queue in queues.items():
            buckets[routes[name].bucket] += queue.waiting
        return Queued(targets, routes, buckets, queues)

    def _target(self, line: Line, soonest: Soonest) -> status_pb2.TargetStatus:
        target = line.target
        routes = self._gateway.world.catalog.routes.values()
        status = status_pb2.TargetStatus(
            provider=target.provider,
            model=target.model,
            routes=[r.name for r in routes if target in r.targets],
            in_flight=self._gateway.parts.traffic.targets[target.name],
            awaited=_awaited(self._gateway.parts.traffic.waits(target.name), self._clock),
        )
        if soonest.reason:
            status.not_now.CopyFrom(not_now(soonest.reason, soonest.ready_at, self._clock))
        return status

    def _obstacle(self, standing: Standing) -> status_pb2.NotNow | None:
        if standing.cause is None:
            return None
        return not_now(standing.cause.value, standing.ready_at, self._clock)

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
        obstacle = self._obstacle(latest)
        if obstacle is not None:
            status.not_now.CopyFrom(obstacle)
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

    def _bucket(self, state: BucketState, waiting: int) -> status_pb2.BucketStatus:
        bucket = state.bucket
        status = status_pb2.BucketStatus(
            id=bucket.id,
            dimension=DIMENSIONS[bucket.dimension],
            limit=state.limit_now,
            burst=bucket.burst,
            source=SOURCES[state.source],
            free_now=state.free_now,
            waiting=waiting,
        )
        if bucket.dimension is not Dimension.CONCURRENCY:
            status.per.CopyFrom(duration(bucket.per_s))
        if state.next_free_at > self._clock.now() and math.isfinite(state.next_free_at):
            status.next_free_at.CopyFrom(wall(state.next_free_at, self._clock))
        if state.limit_now < bucket.limit:
            status.configured_limit = bucket.limit
            if math.isfinite(state.learned_until):
                status.learned_until.CopyFrom(wall(state.learned_until, self._clock))
        return status

    def _breaker(self, line: Line, started_ns: int) -> status_pb2.BreakerStatus:
        now, breaker = self._clock.now(), line.breaker
        status = status_pb2.BreakerStatus(
            id=line.target.name, state=BREAKERS[breaker.state], failures=breaker.failures
        )
        since = breaker.since
        begun = wall(since, self._clock) if math.isfinite(since) else timestamp(started_ns)
        status.since.CopyFrom(begun)
        if breaker.ready_at(now) > now:
            status.not_now.CopyFrom(not_now("BREAKER_OPEN", breaker.ready_at(now), self._clock))
        return status

    def _queue(self, route: str, waits: Queued) -> status_pb2.QueueStatus:
        """`capacity` is for those behind the head, which is in nobody's way."""
        now, queue = self._clock.now(), waits.queues.get(route, EMPTY)
        status = status_pb2.QueueStatus(
            id=route,
            waiting=queue.waiting,
            capacity=self._gateway.admission.most_waiting + 1,
            callers=[
                status_pb2.CallerWaiting(caller=caller, waiting=count)
                for caller, count in Counter(queue.callers).most_common(MOST_CALLERS)
            ],
        )
        if queue.waiting:
            status.oldest_waited.CopyFrom(duration(max(now - queue.oldest, 0.0)))
        expected_s = waits.routes[route].ready_at - now + queue.work_s
        if math.isfinite(expected_s) and expected_s > 0:
            status.expected_wait.CopyFrom(duration(expected_s))
        return status

    def _streams(self) -> status_pb2.StreamsStatus:
        admission = self._gateway.admission
        return status_pb2.StreamsStatus(
            active=admission.active,
            waiting=sum(count for count, _ in admission.waiting().values()),
            replayable=len(self._journals),
            requests=admission.total,
            shed=admission.shed + self._journals.shed,
            kept_bytes=self._journals.kept_bytes,
        )


def _awaited(waits: list[Waits], clock: Clock) -> Iterator[status_pb2.Awaited]:
    """Those that wait for the same are one."""
    for stage, told in STAGES.items():
        mine = [wait for wait in waits if wait.stage is stage]
        if not mine:
            continue
        found = status_pb2.Awaited(stage=told, attempts=len(mine))
        since, until = min(wait.since for wait in mine), min(wait.until for wait in mine)
        found.since.CopyFrom(wall(since, clock))
        if math.isfinite(until):
            # By the first, so that the time between them is right to the nanosecond.
            lasts_ns = round((until - since) * 1e9)
            found.until.CopyFrom(timestamp(found.since.ToNanoseconds() + lasts_ns))
        yield found


def _full(bucket: Bucket, now: float) -> BucketState:
    free = bucket.limit if bucket.dimension is Dimension.CONCURRENCY else bucket.burst
    return BucketState(bucket, bucket.limit, bucket.source, free, now)


def _config(state: ConfigState) -> status_pb2.ConfigStatus:
    status = status_pb2.ConfigStatus(
        version=state.version,
        errors=[status_pb2.ConfigError(path=path, message=text) for path, text in state.errors],
    )
    status.loaded.CopyFrom(timestamp(state.loaded_ns))
    if state.refused_ns:
        status.refused.CopyFrom(timestamp(state.refused_ns))
    return status
