"""The program of this folder, running, and callers of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from tests.server.driven.program import SERVICE

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 30.0
# A connection of its own for every channel.
OWN = (("grpc.use_local_subchannel_pool", 1), ("grpc.default_authority", "localhost"))


class Served:
    """One server. `tcp` and `unix` are its addresses."""

    def __init__(self, process: subprocess.Popen[str], path: Path) -> None:
        self.process = process
        assert process.stdout is not None
        self._out = process.stdout
        self.tcp = f"127.0.0.1:{self._out.readline().strip()}"
        self.unix = f"unix:{path}"

    def channel(self, target: str = "") -> grpc.Channel:
        return grpc.insecure_channel(target or self.unix, options=OWN)

    def state(self) -> dict[str, Any]:
        """What it says of itself, asked by a signal: no call shows in it."""
        self.process.send_signal(signal.SIGUSR1)
        told: dict[str, Any] = json.loads(self._out.readline())
        return told

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first state for which `holds`; asking is a system call, nobody sleeps."""
        with deadline():
            while not holds(state := self.state()):
                pass
        return state

    def ends(self) -> dict[str, Any]:
        """Its last words, once it has ended by itself."""
        told: dict[str, Any] = json.loads(self._out.readline())
        assert self.process.wait(PATIENCE_S) == 0
        return told


@contextmanager
def deadline() -> Iterator[None]:
    """A hang is an error after PATIENCE_S."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def serving(engine: str) -> Iterator[Served]:
    """The program on the engine; killed at the end if it still runs."""
    with tempfile.TemporaryDirectory(prefix="hw") as folder:
        path = Path(folder) / "raw.sock"
        command = [sys.executable, "-m", "tests.server.driven.program", engine, str(path)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            yield Served(process, path)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def unary(channel: grpc.Channel, method: str, message: bytes = b"", **more: Any) -> bytes:
    answer: bytes = channel.unary_unary(f"/{SERVICE}/{method}")(message, timeout=PATIENCE_S, **more)
    return answer


def stream(channel: grpc.Channel, method: str, message: bytes = b"", **more: Any) -> Any:
    more.setdefault("timeout", PATIENCE_S)
    return channel.unary_stream(f"/{SERVICE}/{method}")(message, **more)
