"""A real Cluster of three nodes and a real Sentinel pair."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.limits.bucket import Cost
from sidecar.limits.store import Granted
from tests.limits.meters import requests, seats
from tests.limits.pods import Pod, pods
from tests.limits.servers import Server
from tests.support.topologies import Watched, cluster, sentinel

__all__ = ["cluster", "sentinel"]

pytestmark = [pytest.mark.redis, pytest.mark.process]

SLOW = requests("slow", limit=1, burst=5, per_s=36000.0)


async def test_pools_spread_over_a_cluster_and_each_is_exact(cluster: list[Server]) -> None:
    url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in cluster)
    buckets = [requests(f"r{n}", limit=1, burst=5, per_s=36000.0, pool=f"p{n}") for n in range(9)]
    async with pods(url, 2) as (here, there):
        for bucket in buckets:
            assert len(await here.fill(bucket)) == 5
            assert await there.fill(bucket) == []
    homes = 0
    for node in cluster:
        with node.client() as client:
            homes += bool(client.keys("*:s"))
    assert homes == 3


async def test_seats_and_rates_of_one_pool_live_in_one_slot(cluster: list[Server]) -> None:
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"
    async with pods(url, 1) as (pod,):
        for granted in await pod.fill(SLOW, seats(limit=3)):
            await pod.settle(granted, Cost())
        assert len(await pod.fill(SLOW, seats(limit=3))) == 2


@pytest.mark.slow
async def test_a_failover_to_the_replica_gives_nothing_away(
    sentinel: Watched,
) -> None:
    async with pods(sentinel.url, 2, command_timeout_s=1.0) as (here, there):
        assert len(await here.fill(SLOW)) == 5
        await there.fill(SLOW)
        sentinel.master.stop()
        granted = await failed_over(here)
        assert granted == []
        assert await there.fill(SLOW) == []


async def failed_over(pod: Pod) -> list[Granted]:
    """Ask until the store is exact again; whatever was granted meanwhile."""
    granted = await pod.fill(SLOW)
    async with asyncio.timeout(60):
        await pod.until("exact")
    return granted + await pod.fill(SLOW)
