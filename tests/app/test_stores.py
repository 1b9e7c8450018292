"""The common store at every kind of address, under a daemon as its users run it."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from headway import AsyncClient, HeadwayError
from headway.v1 import status_pb2

from sidecar.app.stores import password_of
from sidecar.config.load import BadConfig
from sidecar.config.schema import StoreConfig
from sidecar.testing import RunningProvider
from tests.limits.servers import Server, running
from tests.support.configs import Config, config, deepseek
from tests.support.daemon import PATIENCE_S, Daemon
from tests.support.fixtures import Start
from tests.support.topologies import Watched, cluster, sentinel
from tests.upstream.certificates import make_authority

__all__ = ["cluster", "sentinel"]

MODEL = "deepseek/fake-6"
PASSWORD = "planted-store-password-51c0"
# So many may leave within an hour, and not one more, whatever happens meanwhile.
BURST = 4
LIMIT = {"requests": 1, "per": "10h", "burst": BURST}


def with_store(folder: Path, base_url: str, store: Any) -> Config:
    made = config(folder, base_url, MODEL, store=store)
    made["providers"]["deepseek"] = deepseek(base_url, LIMIT)
    return made


async def ask(client: AsyncClient) -> str:
    """What became of one request: "" or the reason why it was refused."""
    try:
        await client.complete("default", "Hello.", timeout_s=20.0)
    except HeadwayError as error:
        return error.reason
    return ""


async def use_up(daemon: Daemon) -> status_pb2.DaemonStatus:
    """Take everything; the status afterwards. One more is refused.

    On a loaded machine the store may seem away for a moment: nothing leaves then, and it is asked
    again once it is there.
    """
    async with asyncio.timeout(PATIENCE_S), daemon.client() as client:
        served = 0
        while served < BURST:
            served += not await ask(client)
            await daemon.wait_status(client, is_exact)
        assert await ask(client) == "DEADLINE_TOO_SHORT"
        return await daemon.wait_status(client, is_exact)


def is_exact(status: status_pb2.DaemonStatus) -> bool:
    return status.store.mode == status_pb2.STORE_MODE_REDIS


@asynccontextmanager
async def behind_tls(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """A port with TLS in front of a plain one."""

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(through, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.redis
@pytest.mark.process
async def test_a_redis_behind_tls_that_wants_a_password_is_shared(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    authority = make_authority(folder)
    (folder / "password").write_text(PASSWORD + "\n")
    with running(folder) as server:
        async with behind_tls(server.port, authority.server_context("localhost")) as port:
            with server.client() as client:
                client.config_set("requirepass", PASSWORD)
            store = {
                "url": f"rediss://localhost:{port}/0",
                "password_file": str(folder / "password"),
                "ca_file": str(authority.ca_file),
            }
            daemon = await start(with_store(folder, provider.base_url, store))
            status = await use_up(daemon)
            await daemon.terminate()
    assert is_exact(status)
    assert PASSWORD not in daemon.log + str(status)


@pytest.mark.redis
@pytest.mark.process
async def test_a_redis_with_an_unknown_certificate_is_not_spoken_to(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    with running(folder) as server:
        context = make_authority(folder).server_context("localhost")
        async with behind_tls(server.port, context) as port:
            url = f"rediss://headway:{PASSWORD}@localhost:{port}/0"
            daemon = await start(with_store(folder, provider.base_url, url))
            async with daemon.client() as client:
                await ask(client)
                status = await client.status()
            with server.client() as client:
                assert client.keys("*") == []
    assert status.store.mode == status_pb2.STORE_MODE_REDIS_LOST
    assert PASSWORD not in daemon.log + str(status)


@pytest.mark.redis
@pytest.mark.process
async def test_a_unix_socket_of_redis_is_a_store(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    socket = folder / "redis.sock"
    with running(folder, "--unixsocket", str(socket)):
        store = f"unix://{socket}?db=1"
        daemon = await start(with_store(folder, provider.base_url, store))
        assert is_exact(await use_up(daemon))


@pytest.mark.redis
@pytest.mark.process
async def test_a_cluster_of_three_nodes_is_a_store(
    start: Start, folder: Path, provider: RunningProvider, cluster: list[Server]
) -> None:
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in cluster)
    store = f"redis+cluster://{hosts}"
    daemon = await start(with_store(folder, provider.base_url, store))
    assert is_exact(await use_up(daemon))


@pytest.mark.redis
@pytest.mark.process
@pytest.mark.slow
async def test_a_master_that_dies_is_replaced_and_nothing_is_given_away(
    start: Start, folder: Path, provider: RunningProvider, sentinel: Watched
) -> None:
    daemon = await start(with_store(folder, provider.base_url, sentinel.url))
    await use_up(daemon)
    sentinel.master.stop()
    async with daemon.client() as client:
        # A daemon finds out when it asks.
        assert await ask(client) == "DEADLINE_TOO_SHORT"
        status = await daemon.wait_status(client, is_exact)
        assert await ask(client) == "DEADLINE_TOO_SHORT"
        assert provider.provider.bill.total.attempts == BURST
    assert is_exact(status)


def test_a_password_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    found = password_of(StoreConfig("redis://h", password_file=str(path)), {})
    assert found is not None
    assert found.reveal() == PASSWORD


def test_a_password_is_read_from_its_variable() -> None:
    found = password_of(StoreConfig("redis://h", password_env="STORE_PW"), {"STORE_PW": PASSWORD})
    assert found is not None
    assert found.reveal() == PASSWORD


@pytest.mark.parametrize(
    ("store", "path", "message"),
    [
        (
            StoreConfig("redis://h", password_env="STORE_PW"),
            "store.password_env",
            "is a variable that is not set",
        ),
        (
            StoreConfig("redis://h", password_file="/nonexistent/password"),
            "store.password_file",
            f"cannot be read: {os.strerror(2)}",
        ),
        (
            StoreConfig("redis://h", password_file=os.devnull),
            "store.password_file",
            "holds no password: expected one line of ASCII",
        ),
    ],
)
def test_a_password_that_cannot_be_read_is_told_with_its_place(
    store: StoreConfig, path: str, message: str
) -> None:
    with pytest.raises(BadConfig) as told:
        password_of(store, {})
    assert [(p.path, p.message) for p in told.value.problems] == [(path, message)]


def test_no_repr_shows_the_password_of_an_address() -> None:
    assert (
        repr(StoreConfig(f"redis://u:{PASSWORD}@h:6379/0?x=1")) == "StoreConfig(redis://h:6379/0)"
    )
