"""What the status says of the parts beside the requests: the store, the ledger, the exporter."""

from __future__ import annotations

import logging

from sidecar.core.clock import Clock
from sidecar.ledger.ledger import LedgerState
from sidecar.limits.breaker import LONGEST_PROBE_S
from sidecar.limits.store import Store
from sidecar.server.beside import ExportSight, LedgerSight, StoreSight
from sidecar.telemetry import ExportStatus

log = logging.getLogger("headway")

EXACT = "exact"


class StoreWatch:
    """Hears of every pool how it decides, and since when the store as a whole is there or not."""

    def __init__(self, clock: Clock, *, shared: bool) -> None:
        self._clock = clock
        self._shared = shared
        self._modes: dict[str, str] = {}
        self._since_ns = clock.wall_ns()

    def told(self, pool: str, mode: str) -> None:
        """A pool went on alone, or is exact again; once each time, so that it can be logged."""
        before = self.lost
        self._modes[pool] = mode
        if self.lost is not before:
            self._since_ns = self._clock.wall_ns()
        log.warning("limits of %s: the common store is in mode %r", pool, mode)

    @property
    def lost(self) -> bool:
        """Does any pool decide without the common store?"""
        return any(mode != EXACT for mode in self._modes.values())

    @property
    def mode(self) -> str:
        """memory, redis or redis_lost: the word in the metrics."""
        if not self._shared:
            return "memory"
        return "redis_lost" if self.lost else "redis"

    def sight(self, store: Store) -> StoreSight:
        if not self.lost:
            return StoreSight(self._shared, self._since_ns)
        shares = [state.share for state in store.snapshot() if state.mode != EXACT]
        retry_at = self._clock.now() + LONGEST_PROBE_S
        return StoreSight(self._shared, self._since_ns, True, min(shares, default=1.0), retry_at)


def ledger_sight(state: LedgerState) -> LedgerSight:
    return LedgerSight(state.written, state.pending, bool(state.error), state.retry_at)


def export_sight(status: ExportStatus | None) -> ExportSight:
    """Nowhere where telemetry is off. An address may hold a password before its host."""
    if status is None:
        return ExportSight()
    scheme, mark, rest = status.endpoint.partition("://")
    place = scheme + mark + rest.rpartition("@")[2]
    stuck = bool(status.trouble)
    return ExportSight(place, status.spans_sent, status.spans_dropped, stuck, status.retry_at)
