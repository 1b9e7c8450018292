"""The ways to run it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys

import httpx
import pytest

from sidecar.testing.config import ProviderConfig
from sidecar.testing.running import main, running_provider, serve


async def test_serve_tells_its_address_and_runs_until_it_is_cancelled() -> None:
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(ProviderConfig(), ready=address.set_result))
    async with httpx.AsyncClient() as client:
        assert (await client.get(await address + "/_fake/log")).json() == []
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        with pytest.raises(httpx.ConnectError):
            await client.get(address.result() + "/_fake/log")


async def test_a_taken_port_is_an_error() -> None:
    async with running_provider() as first:
        with pytest.raises(OSError, match="address already in use"):
            async with running_provider(port=first.server.port):
                pass


async def test_waiting_for_attempts_that_are_over_returns_at_once() -> None:
    async with running_provider() as running:
        await running.wait_over(0)


def test_main_can_show_what_names_may_say(capsys: pytest.CaptureFixture[str]) -> None:
    main(show=True)
    assert "fake-reasoner-R-A" in capsys.readouterr().out


@pytest.mark.process
def test_it_runs_as_a_program_of_its_own() -> None:
    command = [sys.executable, "-m", "sidecar.testing", "--port", "0", "--key", "a=sk-a"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().split()[3]
        refused = httpx.post(base_url + "/chat/completions", json={})
        process.terminate()
    assert refused.status_code == 401
