"""Fixtures of the process tests. A conftest imports those it needs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from sidecar.testing import Key, ProviderConfig, RunningProvider, running_provider
from tests.support.configs import DEEPSEEK_KEY, OTHER_KEY, Config
from tests.support.daemon import Daemon
from tests.telemetry.collector import Collector

# Of a failed test's daemon, so many characters of log are shown.
LOG_SHOWN = 8000

Start = Callable[..., Awaitable[Daemon]]
__all__ = ["Start", "collector", "folder", "provider", "start"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short: a Unix socket's must be under 108 bytes."""
    made = Path(tempfile.mkdtemp(prefix="hw"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of spans and metrics that listens."""
    made = Collector()
    made.endpoint = f"http://127.0.0.1:{made.start()}"
    yield made
    made.close()


@pytest.fixture
async def provider() -> AsyncIterator[RunningProvider]:
    """A fake provider that knows the planted keys."""
    keys = {DEEPSEEK_KEY: Key("k1", "a"), OTHER_KEY: Key("o1", "b")}
    async with running_provider(ProviderConfig(keys=keys, pace_s=0.002)) as running:
        yield running


@pytest.fixture
async def start(folder: Path, provider: RunningProvider) -> AsyncIterator[Start]:
    """Starts a daemon with a configuration; all are gone when the test ends.

    Needs `provider` so that daemons end before it does.
    """
    started: list[Daemon] = []

    async def begin(config: Config, **variables: str) -> Daemon:
        daemon = Daemon(folder, config, **variables)
        started.append(daemon)
        return await daemon.start()

    yield begin
    for daemon in started:
        await daemon.close()
        # pytest shows it where the test failed.
        print(daemon.log[-LOG_SHOWN:])
