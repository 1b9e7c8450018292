"""The demo's processes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.cli.demo import setting
from sidecar.cli.demo.processes import running
from sidecar.cli.ending import Failed

pytestmark = pytest.mark.process


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hw-") as path:
        yield Path(path)


async def test_both_run_for_as_long_as_the_block(folder: Path) -> None:
    async with running(folder, real=False) as parts:
        state = await parts.client.status()
        _, port = parts.base_url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.close()

    assert {key.alias for key in state.keys} == {"n1", "e1", "s1"}
    assert not (folder / "headway.sock").exists()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(port))


async def test_a_daemon_that_does_not_start_is_told_with_its_last_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setting, "_CONFIG", "store: nowhere")

    with pytest.raises(Failed, match="the daemon did not start") as caught:
        async with running(folder, real=False):
            pass

    assert any("store.url: expected memory" in line for line in caught.value.lines)


async def test_a_provider_that_does_not_start_is_told_with_its_last_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setting, "LIMIT", "nonsense")

    with pytest.raises(Failed, match="the fake provider did not start") as caught:
        async with running(folder, real=False):
            pass

    assert any("a limit is KIND:DIMENSION" in line for line in caught.value.lines)


async def test_the_log_of_each_is_in_the_folder(folder: Path) -> None:
    async with running(folder, real=False):
        assert "ready on" in (folder / "daemon.log").read_text()

    assert (folder / "provider.log").read_text() == ""
