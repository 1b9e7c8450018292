"""The daemon under test, with all that a user has on: ledger on disk, telemetry, limits."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.processes import BINARIES, DAEMON_CORE, LOAD_CORE, running

PROVIDER = "bench"
KEYS = 4
_POLL_S = 0.02
_KEY_VARIABLE = "HEADWAY_BENCH_KEY"

# High enough never to make a request wait, at any rate this machine can reach: what is measured is
# the cost of asking the buckets, not of waiting for them.
_LIMITS = [
    {"requests": 60_000_000, "per": "60s", "burst": 1_000_000, "each": "key"},
    {"requests": 60_000_000, "per": "60s", "burst": 1_000_000},
    {"tokens": 6_000_000_000, "per": "60s", "burst": 1_000_000_000},
    {"concurrency": 100_000},
]


# US dollars per million tokens; a price of our own, so that every stream is priced.
_PRICE = {"input": 0.28, "cached_input": 0.028, "output": 0.42}


@dataclass(frozen=True, slots=True)
class Setup:
    """Where the daemon of a run listens, and how it is started."""

    command: list[str]
    env: dict[str, str]
    socket: str
    log: Path

    @property
    def target(self) -> str:
        """The socket as gRPC names it."""
        return f"unix://{self.socket}"


def configuration(directory: Path, provider_port: int, sink_port: int) -> dict[str, Any]:
    """The configuration file of a run, as a tree."""
    keys = [{"name": f"k{n}", "env": f"{_KEY_VARIABLE}_{n}"} for n in range(KEYS)]
    return {
        "listen": [f"unix://{directory}/headway.sock"],
        "health": f"127.0.0.1:{free_port()}",
        "store": "memory",
        "providers": {
            PROVIDER: {
                "dialect": "openai-chat",
                "base_url": f"http://127.0.0.1:{provider_port}/v1",
                "accounts": {"main": {"keys": keys, "limits": _LIMITS}},
                "models": {"bench-*": {"reasoning": True, "price": _PRICE}},
            }
        },
        "routes": {"default": {"targets": [f"{PROVIDER}/bench-50x0"]}},
        "ledger": {"path": f"{directory}/state/ledger.db"},
        "telemetry": {"otlp_endpoint": f"http://127.0.0.1:{sink_port}"},
    }


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def set_up(directory: Path, provider_port: int, sink_port: int, program: list[str]) -> Setup:
    """Write the configuration into the directory. `program` is what takes `--config FILE`."""
    (directory / "etc").mkdir()
    (directory / "state").mkdir()
    path = directory / "etc" / "headway.yaml"
    path.write_text(yaml.safe_dump(configuration(directory, provider_port, sink_port)))
    return Setup(
        command=[*program, "--config", str(path)],
        env=environment(),
        socket=f"{directory}/headway.sock",
        log=directory / "daemon.log",
    )


def environment() -> dict[str, str]:
    """The daemon's environment: the keys, and byte code kept as an installation keeps it.

    The byte code goes beside the Go programs, not into the tree. A shell that forbids it would make
    every start compile every module.
    """
    keys = {f"{_KEY_VARIABLE}_{n}": f"bench-key-{n}" for n in range(KEYS)}
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **keys, "PYTHONPYCACHEPREFIX": str(BINARIES / "pycache")}


def default_program() -> list[str]:
    """The real daemon, of this tree."""
    return [sys.executable, "-m", "sidecar", "serve"]


@contextmanager
def serving(setup: Setup) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon on its core; the block begins when health says SERVING."""
    with (
        setup.log.open("ab") as log,
        running(setup.command, DAEMON_CORE, env=setup.env, log=log) as process,
    ):
        wait_serving(setup, process)
        yield process


def wait_serving(setup: Setup, process: subprocess.Popen[bytes]) -> None:
    """Return when health says SERVING; end the run, with the daemon's last words, if it dies."""
    command = [str(BINARIES / "load"), "wait", "-to", setup.target]
    with running(command, LOAD_CORE, stdout=subprocess.DEVNULL) as asking:
        while asking.poll() is None and process.poll() is None:
            time.sleep(_POLL_S)
        if asking.returncode == 0:
            return
    tail = setup.log.read_text(errors="replace")[-2000:]
    raise SystemExit(f"bench: the daemon does not serve; its log ends:\n{tail}")
