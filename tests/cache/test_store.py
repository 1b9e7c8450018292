"""A cache that never fails a request."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import pytest

from sidecar.cache.store import Cache, memory_cache
from sidecar.testing.virtual import in_virtual_time


class Broken:
    """A backend whose server is away, until `mended`."""

    def __init__(self) -> None:
        self.mended = False
        self.kept: dict[str, Any] = {}

    async def get(self, key: str, **more: Any) -> Any:
        self._fail()
        return self.kept.get(key)

    async def multi_get(self, keys: list[str], **more: Any) -> Any:
        self._fail()
        return [self.kept.get(key) for key in keys]

    async def set(self, key: str, value: Any, **more: Any) -> Any:
        self._fail()
        self.kept[key] = value

    async def delete(self, key: str, **more: Any) -> Any:
        self._fail()
        self.kept.pop(key, None)

    async def close(self) -> None:
        return None

    def _fail(self) -> None:
        if not self.mended:
            raise ConnectionError("the password is sk-planted")


@in_virtual_time
async def test_what_was_kept_is_given_back() -> None:
    cache = memory_cache()
    await cache.set("one", b"\x00bytes", 10.0)
    assert await cache.get("one") == b"\x00bytes"
    await cache.aclose()


@in_virtual_time
async def test_what_was_never_kept_is_a_miss() -> None:
    assert await memory_cache().get("nothing") is None


@in_virtual_time
async def test_many_are_given_back_at_once_and_in_order() -> None:
    cache = memory_cache()
    await cache.set("one", b"1", 10.0)
    await cache.set("three", b"3", 10.0)
    assert await cache.get_many(["one", "two", "three"]) == [b"1", None, b"3"]
    assert await cache.get_many([]) == []
    await cache.aclose()


@in_virtual_time
async def test_a_cache_that_is_away_misses_all_of_many() -> None:
    assert await Cache(Broken()).get_many(["one", "two"]) == [None, None]


@in_virtual_time
async def test_bytes_live_as_long_as_was_said_and_no_longer() -> None:
    cache = memory_cache()
    await cache.set("one", b"x", 10.0)
    await asyncio.sleep(9.9)
    assert await cache.get("one") == b"x"
    await asyncio.sleep(0.2)
    assert await cache.get("one") is None


@in_virtual_time
async def test_keeping_again_begins_a_new_life() -> None:
    cache = memory_cache()
    await cache.set("one", b"x", 10.0)
    await asyncio.sleep(9.0)
    await cache.set("one", b"y", 10.0)
    await asyncio.sleep(9.0)
    assert await cache.get("one") == b"y"


@in_virtual_time
async def test_deleted_is_gone() -> None:
    cache = memory_cache()
    await cache.set("one", b"x", 10.0)
    await cache.delete("one")
    assert await cache.get("one") is None


@in_virtual_time
async def test_two_caches_share_nothing() -> None:
    one, other = memory_cache(), memory_cache()
    await one.set("name", b"x", 10.0)
    assert await other.get("name") is None


@in_virtual_time
async def test_a_backend_that_is_away_is_a_miss_and_no_error() -> None:
    cache = Cache(Broken())
    await cache.set("one", b"x", 10.0)
    await cache.delete("one")
    assert await cache.get("one") is None


@in_virtual_time
async def test_what_is_not_bytes_is_a_miss() -> None:
    backend = Broken()
    backend.mended, backend.kept = True, {"one": "text of somebody else"}
    assert await Cache(backend).get("one") is None


@in_virtual_time
async def test_an_outage_is_told_once_and_without_what_the_error_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    cache = Cache(Broken())
    for _ in range(5):
        await cache.get("one")
    assert len(caplog.records) == 1
    assert "sk-planted" not in caplog.text


@in_virtual_time
async def test_the_next_outage_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    backend = Broken()
    cache = Cache(backend)
    await cache.get("one")
    backend.mended = True
    await cache.get("one")
    backend.mended = False
    await cache.get("one")
    assert len(caplog.records) == 2


@in_virtual_time
async def test_a_cancelled_caller_stays_cancelled() -> None:
    class Slow(Broken):
        async def get(self, key: str, **more: Any) -> Any:
            await asyncio.Event().wait()

    task = asyncio.get_running_loop().create_task(Cache(Slow()).get("one"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_hiding_a_module_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    before = "redis" in sys.modules
    memory_cache()
    assert ("redis" in sys.modules) == before
