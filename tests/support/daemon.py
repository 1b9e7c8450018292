"""A daemon as a process of its own, as its users run it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import psutil
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from headway import AsyncClient
from headway.v1 import status_pb2

from tests.support.configs import Config, environment

# Nobody waits longer than this for anything, seconds: it ends a hang, and no test depends on it. A
# daemon may take its whole grace of 25 s to end, and a busy machine its time.
PATIENCE_S = 90.0
SERVING = health_pb2.HealthCheckResponse.SERVING
CHANNEL = (
    ("grpc.default_authority", "localhost"),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
)


class DidNotStart(Exception):
    """The daemon ended before it was ready; the text is what it said."""


class Daemon:
    """One daemon in `folder`. `start` it, or `launch` it where it is not to become ready."""

    def __init__(self, folder: Path, config: Config, **variables: str) -> None:
        self.folder = folder
        self.config = config
        self.config_path = folder / "headway.yaml"
        # Not beside the configuration: that folder is watched, and watching is logged.
        self.log_path = folder / "log" / "daemon.log"
        self.socket = folder / "headway.sock"
        self.variables = {**environment(), **variables}
        self._process: asyncio.subprocess.Process | None = None

    # -- its life ----------------------------------------------------------------------------

    async def start(self) -> Daemon:
        """Launch it and return when its health says that it serves. Raises DidNotStart."""
        await self.launch()
        return await self.wait_ready()

    async def wait_ready(self) -> Daemon:
        """Return when the health of what was launched says that it serves. Raises DidNotStart."""
        ready = asyncio.create_task(self.wait_health("readiness", SERVING))
        ended = asyncio.create_task(self.process.wait())
        await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            await asyncio.gather(ready, return_exceptions=True)
            raise DidNotStart(self.log)
        ended.cancel()
        await ready
        return self

    async def launch(self) -> None:
        """Run the command, and wait for nothing."""
        self.write_config(self.config)
        self.log_path.parent.mkdir(exist_ok=True)
        command = (sys.executable, "-m", "sidecar", "serve", "--config", str(self.config_path))
        with self.log_path.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                *("--log-format", "json", "--log-level", "debug"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self.folder,
                env={**_plain_environment(), **self.variables},
            )

    def write_config(self, config: Config | str) -> None:
        """Replace the file as editors do: a new one is renamed over it."""
        text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.config_path)

    async def terminate(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.wait()

    async def kill(self) -> int:
        """SIGKILL, and its exit code."""
        self.process.kill()
        return await self.wait()

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()

    async def close(self) -> None:
        """Let nothing of it live on."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    # -- what it says ------------------------------------------------------------------------

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "not launched"
        return self._process

    @property
    def target(self) -> str:
        return f"unix:{self.socket}"

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    @property
    def rss_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def client(self, target: str = "") -> AsyncClient:
        """Our client, connected to the socket unless another address is given."""
        return AsyncClient(target or self.target)

    async def wait_health(self, service: str, wanted: int, address: str = "") -> None:
        """Return when health says `wanted` of `service`."""
        async with asyncio.timeout(PATIENCE_S), self.channel(address) as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            call = health_pb2_grpc.HealthStub(channel).Watch(request, wait_for_ready=True)
            async for answer in call:
                if answer.status == wanted:
                    call.cancel()
                    return

    def channel(self, address: str = "") -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(address or self.target, options=CHANNEL)

    async def wait_status(
        self, client: AsyncClient, holds: Callable[[status_pb2.DaemonStatus], bool]
    ) -> status_pb2.DaemonStatus:
        """The first status for which `holds`; TimeoutError tells the last one that did not."""
        last: status_pb2.DaemonStatus | None = None
        watch = client.watch_status(0.1)
        try:
            async with asyncio.timeout(PATIENCE_S):
                async for last in watch:
                    if holds(last):
                        return last
        except TimeoutError:
            raise TimeoutError(f"never came to that; the last status: {last}") from None
        finally:
            await watch.aclose()
        raise AssertionError("the watch ended")

    def rows(self) -> list[dict[str, Any]]:
        """Every entry in the ledger's file. A daemon that ended cleanly has put all of them there;
        a running one may hold newer ones beside it."""
        path = f"file:{self.config['ledger']['path']}?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM entries ORDER BY id")]


def _plain_environment() -> dict[str, str]:
    """Ours, without what would change a daemon: its own variables, proxies, providers' keys."""
    strange = ("HEADWAY", "OTEL", "http_", "https_", "HTTP_", "HTTPS_", "ALL_PROXY", "all_proxy")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(strange) and not name.endswith("_API_KEY")
    }
