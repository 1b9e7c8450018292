"""Which store and which cache the configuration asks for."""

from __future__ import annotations

import logging
import random
import uuid
from urllib.parse import unquote, urlsplit

from sidecar.cache.store import Cache, memory_cache, redis_cache
from sidecar.core.clock import Clock
from sidecar.limits.memory import MemoryStore
from sidecar.limits.store import Store

log = logging.getLogger("headway")

# A Redis that takes longer to be reached is away; the pod then keeps to its share (limits
# reference, 2.6: connect 100 ms).
CONNECT_S = 0.1


def store_for(address: str, clock: Clock) -> Store:
    """The store at `address`: "memory", or a redis:// URL."""
    if address == "memory":
        return MemoryStore(clock)
    # Imported here: redis-py costs 10 MB and 60 ms that a daemon alone does not need.
    from redis.asyncio import Redis

    from sidecar.limits.redis import RedisStore

    client = Redis.from_url(address, socket_connect_timeout=CONNECT_S)
    rng = random.SystemRandom()
    return RedisStore(clock, client, uuid.uuid4().hex[:12], rng, on_mode=_tell)


def _tell(pool: str, mode: str) -> None:
    log.warning("limits of %s: the common store is in mode %r", pool, mode)


def cache_for(address: str) -> Cache:
    """The cache beside the store: in memory, or in the same Redis."""
    if address == "memory":
        return memory_cache()
    url = urlsplit(address)
    password = unquote(url.password) if url.password else None
    db = int(url.path.strip("/") or 0)
    return redis_cache(url.hostname or "127.0.0.1", url.port or 6379, db, password)
