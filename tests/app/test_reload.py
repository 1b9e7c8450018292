"""A new configuration under a running daemon: taken without dropping a stream, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway import AsyncClient

from sidecar.testing import RunningProvider, written
from tests.support.configs import DEEPSEEK_KEY, OTHER_KEY, Config, config, deepseek
from tests.support.daemon import Daemon
from tests.support.fixtures import Start

pytestmark = pytest.mark.process

TEXT = written(0, 0, 60).answer


def with_route(right: Config, name: str) -> Config:
    """The same with another route."""
    return {**right, "routes": {**right["routes"], name: {"targets": ["other/fake-60"]}}}


async def version_of(client: AsyncClient) -> str:
    return (await client.status()).config.version


async def in_force(daemon: Daemon, client: AsyncClient, before: str) -> None:
    """Until another version than `before` is."""
    await daemon.wait_status(client, lambda status: status.config.version != before)


async def test_a_changed_file_is_taken_without_dropping_a_stream(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    right = config(folder, provider.base_url, "deepseek/fake-60+ms-100")
    daemon = await start(right)
    async with daemon.client() as client:
        before = await version_of(client)
        stream = client.stream("default", "Go on.")
        await anext(stream)
        daemon.write_config(with_route(right, "another"))
        await in_force(daemon, client, before)
        assert (await client.complete("another", "Hello.")).answer == TEXT
        assert (await stream.read()).answer == TEXT


async def test_the_watcher_does_not_log_every_change_it_sees(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    """A log that is written to a watched folder would tell of itself for ever."""
    right = config(folder, provider.base_url)
    daemon = await start(right)
    async with daemon.client() as client:
        for route in ("another", "third"):  # the first may be found before anything is watched
            before = await version_of(client)
            daemon.write_config(with_route(right, route))
            await in_force(daemon, client, before)
    assert "watchfiles" not in daemon.log


async def test_reload_by_rpc_tells_whether_something_changed(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    right = config(folder, provider.base_url)
    daemon = await start(right)
    async with daemon.client() as client:
        assert not (await client.reload()).changed
        daemon.write_config(with_route(right, "another"))
        answer = await client.reload()
        assert (answer.changed, list(answer.errors)) == (True, [])
        assert "another" in {route.name for route in (await client.models()).routes}


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        ("routes: {default: {targets: []}}\n", "routes.default"),
        ("providers: {deepseek: {acounts: {}}}\n", "providers.deepseek"),
        ("listen: [", ""),
    ],
)
async def test_a_bad_file_is_refused_with_the_reason_and_the_old_one_stays(
    start: Start, folder: Path, provider: RunningProvider, bad: str, path: str
) -> None:
    daemon = await start(config(folder, provider.base_url))
    async with daemon.client() as client:
        before = await version_of(client)
        daemon.write_config(bad)
        status = await daemon.wait_status(client, lambda status: status.config.HasField("refused"))
        assert status.config.version == before
        assert any(error.path.startswith(path) for error in status.config.errors)
        assert all(error.message for error in status.config.errors)
        assert (await client.complete("default", "Hello.")).answer == TEXT
        daemon.write_config(daemon.config)
        await daemon.wait_status(client, lambda status: not status.config.HasField("refused"))


def from_file(folder: Path, base_url: str, file: Path) -> Config:
    account = {"keys": [{"name": "k1", "file": str(file)}]}
    provider = deepseek(base_url, accounts={"a": account})
    return config(folder, base_url, providers={"deepseek": provider})


def put(file: Path, key: str) -> None:
    fresh = file.with_name(file.name + ".new")
    fresh.write_text(key)
    fresh.replace(file)


def mount(folder: Path, number: int, key: str) -> None:
    """What the kubelet does with a Secret: a new folder, and a link that is swapped to it."""
    version = folder / f"..version_{number}"
    version.mkdir(parents=True)
    (version / "k1").write_text(key)
    link = folder / "..fresh"
    link.symlink_to(version.name)
    link.replace(folder / "..data")


async def test_a_rotated_key_file_is_used_for_the_next_call(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    file = folder / "k1"
    put(file, DEEPSEEK_KEY)
    daemon = await start(from_file(folder, provider.base_url, file))
    async with daemon.client() as client:
        await client.complete("default", "Hello.")
        loaded = (await client.status()).config.loaded
        put(file, OTHER_KEY)
        await daemon.wait_status(client, lambda status: status.config.loaded != loaded)
        await client.complete("default", "Hello again.")
    assert [entry.key for entry in provider.log] == ["k1", "o1"]


async def test_a_swapped_secret_of_kubernetes_is_used_for_the_next_call(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    secrets = folder / "secrets"
    mount(secrets, 1, DEEPSEEK_KEY)
    (secrets / "k1").symlink_to("..data/k1")
    daemon = await start(from_file(folder, provider.base_url, secrets / "k1"))
    async with daemon.client() as client:
        await client.complete("default", "Hello.")
        loaded = (await client.status()).config.loaded
        mount(secrets, 2, OTHER_KEY)
        await daemon.wait_status(client, lambda status: status.config.loaded != loaded)
        await client.complete("default", "Hello again.")
    assert [entry.key for entry in provider.log] == ["k1", "o1"]
