"""Fixtures of the room's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.testing import RunningProvider
from tests.support.configs import Config
from tests.support.daemon import Daemon
from tests.support.fixtures import LOG_SHOWN, Start, collector, folder, provider

__all__ = ["collector", "folder", "provider", "start"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of a module that names ENGINES run on each of them."""
    engines = getattr(metafunc.module, "ENGINES", None)
    if engines and "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", engines)


@pytest.fixture
def engine() -> str:
    """What drives gRPC in the daemons of a test."""
    return "auto"


@pytest.fixture
async def start(folder: Path, provider: RunningProvider, engine: str) -> AsyncIterator[Start]:
    """Starts a daemon on the engine; all are gone when the test ends, and before the provider."""
    started: list[Daemon] = []

    async def begin(config: Config, **variables: str) -> Daemon:
        server = {"engine": engine, **config.get("server", {})}
        daemon = Daemon(folder, {**config, "server": server}, **variables)
        started.append(daemon)
        return await daemon.start()

    yield begin
    for daemon in started:
        await daemon.close()
        # pytest shows it where the test failed.
        print(daemon.log[-LOG_SHOWN:])
