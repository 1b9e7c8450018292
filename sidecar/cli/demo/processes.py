"""The demo's processes: a fake provider and a daemon, each as a user would start it."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
from headway import AsyncClient

from sidecar.cli.demo import setting
from sidecar.cli.ending import Failed

# A loaded machine with two cores may take its time; nobody waits for this on a good one.
START_S = 30.0
# What a process may take to end once it is asked to, before it is killed.
STOP_S = 5.0


class Running(msgspec.Struct, frozen=True):
    """Where the demo's parts are."""

    base_url: str
    client: AsyncClient
    folder: Path


@asynccontextmanager
async def running(folder: Path, real: bool) -> AsyncIterator[Running]:
    """Both processes, and a client of the daemon. Raises Failed if one does not come up."""
    async with AsyncExitStack() as stack:
        base_url = await stack.enter_async_context(_fake(folder))
        config = setting.write(folder, base_url, real)
        await stack.enter_async_context(_daemon(folder, config))
        client = await stack.enter_async_context(AsyncClient(f"unix://{folder}/headway.sock"))
        yield Running(base_url, client, folder)


@asynccontextmanager
async def _fake(folder: Path) -> AsyncIterator[str]:
    """The fake provider; yields its address, which is the first thing it says."""
    async with _process(folder / "provider.log", *setting.fake_arguments()) as process:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        address = re.search(r"http://\S+", line.decode())
        if address is None:
            raise _did_not_start("the fake provider", folder / "provider.log")
        yield address.group()


@asynccontextmanager
async def _daemon(folder: Path, config: Path) -> AsyncIterator[None]:
    """The daemon, ready for requests."""
    log = folder / "daemon.log"
    async with (
        _process(log, "serve", "--config", str(config)) as process,
        AsyncClient(f"unix://{folder}/headway.sock") as client,
    ):
        ended = asyncio.create_task(process.wait())
        ready = asyncio.create_task(client.wait_ready(START_S))
        try:
            await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done() or ready.exception() is not None:
                raise _did_not_start("the daemon", log)
        finally:
            ready.cancel()
            ended.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)
        yield


@asynccontextmanager
async def _process(log: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`headway` with these arguments; its errors go to `log`. It ends with the block."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sidecar", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors,
            # Of its own, so that Ctrl-C reaches the demo alone and the demo ends it in good order.
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        await asyncio.shield(_stop(process))


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _did_not_start(who: str, log: Path) -> Failed:
    told = log.read_text(errors="replace").strip().splitlines()[-5:]
    return Failed(f"{who} did not start", *told)
