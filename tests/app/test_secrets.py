"""Reading credentials; and that no part of a daemon shows them when it is printed."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest
import yaml

from sidecar.app import secrets
from sidecar.app.daemon import Daemon
from sidecar.app.source import Source
from sidecar.telemetry.log import Redactor
from sidecar.testing import RunningProvider
from tests.support.configs import DEEPSEEK_KEY, OTHER_KEY, Config, config, environment, other
from tests.support.daemon import Daemon as Process


def source(folder: Path, written: Config) -> Source:
    path = folder / "headway.yaml"
    path.write_text(yaml.safe_dump(written))
    return Source(path, environment())


def printed() -> list[str]:
    """The repr of everything of ours that is alive, and of what it refers to."""
    ours = [thing for thing in gc.get_objects() if _is_ours(thing)]
    seen = {id(thing): thing for thing in [*ours, *gc.get_referents(*ours)] if _is_ours(thing)}
    return [repr(thing) for thing in seen.values()]


def _is_ours(thing: object) -> bool:
    module = str(type(thing).__module__)
    return module.startswith("sidecar.") and not module.startswith("sidecar.testing")


@pytest.mark.parametrize("fault", ["headers-30", "first-30"])
async def test_no_repr_of_a_daemon_in_mid_call_shows_a_key(
    folder: Path, provider: RunningProvider, fault: str
) -> None:
    written = config(folder, provider.base_url, f"deepseek/fake-60+{fault}")
    daemon = Daemon(source(folder, written), environment(), Redactor())
    serving = asyncio.create_task(daemon.serve())
    process = Process(folder, written)
    async with process.client() as client:
        await client.wait_ready()
        async with client.stream("default", "Go on."):
            await process.wait_status(client, lambda status: status.targets[0].in_flight == 1)
            texts = printed()
    daemon.stop()
    await serving
    assert any("alias='k1'" in text for text in texts)
    assert [text for text in texts if DEEPSEEK_KEY in text or OTHER_KEY in text] == []


def test_keys_come_from_files_and_from_the_environment(folder: Path) -> None:
    file = folder / "o1"
    file.write_text(OTHER_KEY + "\n")
    account = {"keys": [{"name": "o1", "file": str(file)}, {"name": "o2", "env": "DEEPSEEK_KEY"}]}
    providers = {"other": other("http://127.0.0.1:9", accounts={"b": account})}
    written = config(folder, "http://127.0.0.1:9", "other/m", providers=providers)
    resolved, _ = source(folder, written).read()
    loaded = secrets.load(resolved, environment())
    assert {key.alias: key.secret.reveal() for key in loaded.keys} == {
        "o1": OTHER_KEY,
        "o2": DEEPSEEK_KEY,
    }
    assert loaded.problems == ()
    assert secrets.files(resolved) == {file}


def test_a_key_that_cannot_be_read_is_a_problem_with_its_place(folder: Path) -> None:
    account = {"keys": [{"name": "o1", "file": str(folder / "gone")}, {"name": "o2", "env": "NO"}]}
    providers = {"other": other("http://127.0.0.1:9", accounts={"b": account})}
    written = config(folder, "http://127.0.0.1:9", "other/m", providers=providers)
    resolved, _ = source(folder, written).read()
    loaded = secrets.load(resolved, environment())
    assert loaded.keys == ()
    assert [problem.path for problem in loaded.problems] == [
        "providers.other.accounts.b.keys.o1",
        "providers.other.accounts.b.keys.o2",
    ]
