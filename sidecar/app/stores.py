"""Which store the configuration asks for."""

from __future__ import annotations

from sidecar.core.clock import Clock
from sidecar.limits.memory import MemoryStore
from sidecar.limits.store import Store


def store_for(address: str, clock: Clock) -> Store:
    """The store at `address`: "memory", or a redis:// URL."""
    if address == "memory":
        return MemoryStore(clock)
    # Imported here: redis-py costs 10 MB and 60 ms that a daemon alone does not need.
    from sidecar.limits.redis import RedisStore

    return RedisStore.at(address, clock)
