"""A cache that never fails a request: what it cannot give or take is a miss."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

log = logging.getLogger("headway.cache")

NAMESPACE = "headway:"
# A cache that is slower than this is as good as none, seconds.
TIMEOUT_S = 0.25


class Backend(Protocol):
    """What is used of aiocache."""

    async def get(self, key: str, **more: Any) -> Any: ...

    async def multi_get(self, keys: list[str], **more: Any) -> Any: ...

    async def set(self, key: str, value: Any, **more: Any) -> Any: ...

    async def add(self, key: str, value: Any, **more: Any) -> Any: ...

    async def delete(self, key: str, **more: Any) -> Any: ...

    async def close(self) -> Any: ...


class Cache:
    """Bytes by name, each with its time to live. `shared`: other pods see the same bytes."""

    def __init__(self, backend: Backend, *, shared: bool = False) -> None:
        self._backend = backend
        self.shared = shared
        self._failing = False

    async def get(self, key: str) -> bytes | None:
        """The bytes, or None if there are none (any more) or the cache cannot be asked."""
        try:
            found = await self._backend.get(key)
        except Exception as error:
            self._tell(error)
            return None
        self._failing = False
        return found if isinstance(found, bytes) else None

    async def get_many(self, keys: list[str]) -> list[bytes | None]:
        """What `get` would give for each of `keys`, in one question to the cache."""
        try:
            found = await self._backend.multi_get(keys)
        except Exception as error:
            self._tell(error)
            return [None] * len(keys)
        self._failing = False
        return [data if isinstance(data, bytes) else None for data in found]

    async def set(self, key: str, data: bytes, ttl_s: float) -> bool:
        """Keep `data` for `ttl_s` seconds; False if the cache did not say that it does."""
        try:
            await self._backend.set(key, data, ttl=ttl_s)
        except Exception as error:
            self._tell(error)
            return False
        self._failing = False
        return True

    async def add(self, key: str, data: bytes, ttl_s: float) -> bool | None:
        """Keep `data` if `key` holds nothing: did we? None if the cache cannot be asked."""
        try:
            await self._backend.add(key, data, ttl=ttl_s)
        except ValueError:
            return False
        except Exception as error:
            self._tell(error)
            return None
        self._failing = False
        return True

    async def prolong(self, key: str, data: bytes, ttl_s: float) -> bool | None:
        """Let `key` live `ttl_s` from now if it still holds `data`: does it? None as `add`."""
        try:
            done = await self._backend.set(key, data, ttl=ttl_s, _cas_token=data)
        except Exception as error:
            self._tell(error)
            return None
        self._failing = False
        return bool(done != 0)

    async def delete(self, key: str) -> None:
        """Forget `key`."""
        try:
            await self._backend.delete(key)
        except Exception as error:
            self._tell(error)

    async def aclose(self) -> None:
        await self._backend.close()

    def _tell(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            log.warning("the cache does not answer (%s); serving without it", type(error).__name__)


def memory_cache() -> Cache:
    """A cache in this process."""
    with _hidden("redis"):
        from aiocache.backends.memory import SimpleMemoryCache
    # No timeout: a dict does not hang, and asyncio's costs five times the look-up itself.
    return Cache(SimpleMemoryCache(timeout=0))


def redis_cache(client: Any) -> Cache:
    """A cache in Redis, so that another pod can go on where this one left. `client` is any of
    redis.asyncio's, answering bytes; it is closed with the cache."""
    from aiocache.backends.redis import RedisCache
    from aiocache.serializers import NullSerializer

    class _Backend(RedisCache):  # type: ignore[misc]
        """Its own client would know no Cluster and no Sentinel; it never connects."""

        async def _close(self, *args: Any, **more: Any) -> None:
            await self.client.aclose()

    backend = _Backend(
        serializer=NullSerializer(encoding=None), namespace=NAMESPACE, timeout=TIMEOUT_S
    )
    backend.client = client
    return Cache(backend, shared=True)


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """While entered, `name` cannot be imported.

    aiocache imports every backend's library that is installed; redis-py alone costs 0.1 s of start
    and 13 MB that a daemon with a memory store never uses.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
