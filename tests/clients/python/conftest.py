from collections.abc import Iterator
from pathlib import Path

import pytest

from .peer import PATIENCE_S, Daemon, Relay, serve


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture(params=["unix", "tcp"])
def target(request: pytest.FixtureRequest, daemon: Daemon, tmp_path: Path) -> Iterator[str]:
    """Where the daemon is reached: over a Unix socket, and over TCP."""
    where = {"unix": f"unix://{tmp_path}/headway.sock", "tcp": "127.0.0.1:0"}
    server, target = serve(daemon, where[request.param])
    yield target
    daemon.ended.set()
    server.stop(0).wait(PATIENCE_S)


@pytest.fixture
def local(daemon: Daemon, tmp_path: Path) -> Iterator[str]:
    """Where the daemon is reached, one way only: for what does not depend on the way."""
    server, target = serve(daemon, f"unix://{tmp_path}/headway.sock")
    yield target
    daemon.ended.set()
    server.stop(0).wait(PATIENCE_S)


@pytest.fixture
def relay(local: str, tmp_path: Path) -> Iterator[Relay]:
    """A line to the daemon that can be cut. Its socket is `line.sock`."""
    relay = Relay(f"{tmp_path}/line.sock", local.removeprefix("unix://"))
    yield relay
    relay.close()


@pytest.fixture
def line(relay: Relay, tmp_path: Path) -> str:
    """The target of the line that can be cut."""
    return f"unix://{tmp_path}/line.sock"
