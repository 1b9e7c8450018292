"""A real Cluster of three nodes and a real Sentinel pair."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from sidecar.limits.bucket import Cost
from sidecar.limits.store import Granted
from tests.limits.meters import requests, seats
from tests.limits.pods import Pod, pods
from tests.limits.servers import Server, free_port, running, server_binary, wait_until

pytestmark = [pytest.mark.redis, pytest.mark.process]

SLOTS = 16384
SLOW = requests("slow", limit=1, burst=5, per_s=36000.0)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[Server]]:
    """Three masters, every slot covered."""
    with ExitStack() as stack:
        nodes = []
        for number in range(3):
            folder = tmp_path / str(number)
            folder.mkdir()
            options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
            nodes.append(stack.enter_context(running(folder, *options)))
        for number, node in enumerate(nodes):
            with node.client() as client:
                first, last = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
                client.execute_command("CLUSTER", "ADDSLOTS", *range(first, last + 1))
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        wait_until(lambda: all(joined(node) for node in nodes))
        yield nodes


def joined(node: Server) -> bool:
    with node.client() as client:
        told = client.execute_command("CLUSTER", "INFO")
    return "cluster_state:ok" in str(told) and "cluster_known_nodes:3" in str(told)


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


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[tuple[str, Server, Server]]:
    """A master, its replica, and two sentinels that fail over within a second or two."""
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("master", "replica", "s1", "s2")]
        for folder in folders:
            folder.mkdir()
        master = stack.enter_context(running(folders[0]))
        replica = stack.enter_context(
            running(folders[1], "--replicaof", "127.0.0.1", str(master.port))
        )
        wait_until(lambda: synced(replica))
        ports = [stack.enter_context(watching(folder, master.port)) for folder in folders[2:]]
        wait_until(lambda: all(watched(port) for port in ports))
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        yield f"redis+sentinel://{hosts}/mymaster", master, replica


def synced(replica: Server) -> bool:
    with replica.client() as client:
        return bool(client.info("replication")["master_link_status"] == "up")  # type: ignore[index]


def watched(port: int) -> bool:
    retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 250)
    with redis.Redis(port=port, retry=retry) as client:
        state = client.sentinel_master("mymaster")  # type: ignore[no-untyped-call]
    return bool(state["num-other-sentinels"] == 1 and state["num-slaves"] == 1)


class watching:
    """One sentinel process."""

    def __init__(self, folder: Path, master: int) -> None:
        self._folder = folder
        self._master = master

    def __enter__(self) -> int:
        port = free_port()
        config = self._folder / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\n"
            f"sentinel monitor mymaster 127.0.0.1 {self._master} 2\n"
            "sentinel down-after-milliseconds mymaster 500\n"
            "sentinel failover-timeout mymaster 3000\n"
        )
        self._process = subprocess.Popen(
            [server_binary(), str(config), "--sentinel"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return port

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


@pytest.mark.slow
async def test_a_failover_to_the_replica_gives_nothing_away(
    sentinel: tuple[str, Server, Server],
) -> None:
    url, master, _ = sentinel
    async with pods(url, 2, command_timeout_s=1.0) as (here, there):
        assert len(await here.fill(SLOW)) == 5
        await there.fill(SLOW)
        master.stop()
        granted = await failed_over(here)
        assert granted == []
        assert await there.fill(SLOW) == []


async def failed_over(pod: Pod) -> list[Granted]:
    """Ask until the store is exact again; whatever was granted meanwhile."""
    granted = await pod.fill(SLOW)
    async with asyncio.timeout(60):
        await pod.until("exact")
    return granted + await pod.fill(SLOW)
