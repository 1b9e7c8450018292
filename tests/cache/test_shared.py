"""The cache in a real Redis and in a real Redis Cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sidecar.cache.store import redis_cache
from sidecar.core.request import Message, Role
from sidecar.gateway import recollection
from sidecar.gateway.recollection import Owner
from sidecar.limits.redis import client_of
from tests.gateway.tongues import ASKED
from tests.limits.servers import Server, running
from tests.support.topologies import cluster

__all__ = ["cluster"]

pytestmark = pytest.mark.redis


def names(count: int) -> list[str]:
    """The names of turns of one caller at one model."""
    owner = Owner("me", "anthropic", "anthropic", "claude-opus-5")
    turn = Message(Role.ASSISTANT, ASKED.content)
    found = recollection.lookups(owner, (ASKED, turn) * count)
    return [lookup.key for lookup in found]


async def greeted(connection: Any) -> None:
    await connection.on_connect()


async def check(url: str) -> None:
    cache = redis_cache(client_of(url, greeted))
    first, second, third = names(3)
    await cache.set(first, b"\x00one", 60.0)
    await cache.set(third, b"three", 60.0)
    assert await cache.get_many([first, second, third]) == [b"\x00one", None, b"three"]
    await cache.delete(first)
    assert await cache.get_many([first, third]) == [None, b"three"]
    await cache.aclose()


async def test_many_are_asked_for_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        await check(server.url)


async def test_the_turns_of_one_caller_are_on_one_node_of_a_cluster(cluster: list[Server]) -> None:
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in cluster)
    await check(f"redis+cluster://{hosts}")
