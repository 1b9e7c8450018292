"""Common stores as they are run in production: a Cluster of three nodes, a master and a replica
watched by two sentinels, and one behind TLS on a Unix socket beside."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import redis

from tests.limits.servers import Server, free_port, running, server_binary, wait_until

SLOTS = 16384


class Watched(msgspec.Struct, frozen=True):
    """A master with its replica, and the address of the sentinels that watch them."""

    url: str
    master: Server
    replica: Server


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
        wait_until(lambda: all(_joined(node) for node in nodes))
        yield nodes


def _joined(node: Server) -> bool:
    with node.client() as client:
        told = client.execute_command("CLUSTER", "INFO")
    return "cluster_state:ok" in str(told) and "cluster_known_nodes:3" in str(told)


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[Watched]:
    """A master, its replica, and two sentinels that fail over within a second or two."""
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("master", "replica", "s1", "s2")]
        for folder in folders:
            folder.mkdir()
        master = stack.enter_context(running(folders[0]))
        replica = stack.enter_context(
            running(folders[1], "--replicaof", "127.0.0.1", str(master.port))
        )
        wait_until(lambda: _synced(replica))
        ports = [stack.enter_context(_Watching(folder, master.port)) for folder in folders[2:]]
        wait_until(lambda: all(_watched(port) for port in ports))
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        yield Watched(f"redis+sentinel://{hosts}/mymaster", master, replica)


def _synced(replica: Server) -> bool:
    with replica.client() as client:
        return bool(client.info("replication")["master_link_status"] == "up")  # type: ignore[index]


def _watched(port: int) -> bool:
    retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 250)
    with redis.Redis(port=port, retry=retry) as client:
        state = client.sentinel_master("mymaster")  # type: ignore[no-untyped-call]
    return bool(state["num-other-sentinels"] == 1 and state["num-slaves"] == 1)


class _Watching:
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
