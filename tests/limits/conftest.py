from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio

from tests.limits.meters import HandClock
from tests.limits.servers import Server, running
from tests.limits.worlds import RedisWorld, World, memory_world


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Redis that all tests of a run share; each uses its own prefix."""
    with running(tmp_path_factory.mktemp("redis")) as one:
        yield one


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A Redis of one test, to flush, stop and roll back."""
    with running(tmp_path) as one:
        yield one


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """One store after the other; every test that asks for it runs over all of them."""
    if request.param == "memory":
        yield memory_world()
        return
    async with _on(request.getfixturevalue("server")) as one:
        yield one


@pytest.fixture
async def redis_world(server: Server) -> AsyncIterator[RedisWorld]:
    """A store of its own on the common server, in virtual time."""
    async with _on(server) as one:
        yield one


@asynccontextmanager
async def _on(server: Server) -> AsyncIterator[RedisWorld]:
    client = redis.asyncio.Redis.from_url(server.url)
    one = RedisWorld(client, HandClock(), f"test-{uuid.uuid4()}")
    yield one
    await one.store.aclose()
