"""The daemon's state as telemetry's gauges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.telemetry import BucketLevel, Gauges, KeyState, QueueSize
from sidecar.telemetry.gauges import BreakerState, RetriesLeft

if TYPE_CHECKING:
    from sidecar.app.daemon import Daemon


def gauges(daemon: Daemon) -> Gauges:
    """One reading of everything; runs on the loop, once an interval."""
    engine = daemon.engine
    now = engine.clock.now()
    return Gauges(
        queues=tuple(
            QueueSize(route, waiting) for route, (waiting, _) in engine.admission.waiting().items()
        ),
        buckets=tuple(
            BucketLevel(state.bucket.id, state.free_now, state.bucket.dimension.value)
            for state in engine.store.snapshot()
        ),
        keys=tuple(
            KeyState(
                line.target.provider,
                key.account,
                key.alias,
                _state(engine.ring.standing(key, line.target.model, now).ready_at > now),
                line.target.model,
            )
            for line in daemon.lines()
            for key in engine.ring.keys(line.target.provider)
        ),
        breakers=tuple(
            BreakerState(line.target.provider, line.target.model, line.breaker.state.value)
            for line in daemon.lines()
        ),
        retries=tuple(
            RetriesLeft(name.partition("/")[0], name.partition("/")[2], left)
            for name, left in engine.parts.experience.retries_left(now)
        ),
        streams_active=engine.admission.active,
        store_mode=daemon.stores.mode,
    )


def _state(resting: bool) -> str:
    return "resting" if resting else "ready"
