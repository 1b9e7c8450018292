"""The shell in memory: what httpx sees is what it would see of a socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sidecar.testing import virtual
from sidecar.testing.actions import Action, Head, Send
from sidecar.testing.config import ProviderConfig
from sidecar.testing.journal import Ending
from sidecar.testing.provider import FakeProvider
from sidecar.testing.scripts import Listed
from sidecar.testing.transport import BUFFER_BYTES, FakeTransport
from sidecar.testing.virtual import in_virtual_time


@in_virtual_time
async def test_a_read_timeout_is_kept_before_and_within_the_body(new_world: Any) -> None:
    world = new_world(seconds=5.0)
    before = await world.ask("fake-5+silent")
    within = await world.ask("fake-5+pause-3-60")
    assert isinstance(before.error, httpx.ReadTimeout)
    assert isinstance(within.error, httpx.ReadTimeout)
    assert [entry.ending for entry in world.log] == [Ending.CLIENT_CLOSED] * 2
    assert world.clock.now() == pytest.approx(10.045)


@in_virtual_time
async def test_cancelling_the_client_ends_the_attempt_at_that_moment(new_world: Any) -> None:
    world = new_world()
    asking = asyncio.create_task(world.ask("fake-500"))
    await asyncio.sleep(1.0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert (world.log[0].ending, world.log[0].ended_s) == (Ending.CLIENT_CLOSED, 1.0)


@in_virtual_time
async def test_cancelling_before_the_headers_is_a_hang_up_too(new_world: Any) -> None:
    world = new_world()
    asking = asyncio.create_task(world.ask("fake-5+silent"))
    await asyncio.sleep(1.0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert (world.log[0].ending, world.log[0].ended_s) == (Ending.CLIENT_CLOSED, 1.0)


@in_virtual_time
async def test_an_unknown_host_and_one_that_is_down_refuse_connections(new_world: Any) -> None:
    world = new_world()
    world.transport.down.add("fake")
    assert isinstance((await world.ask("fake-5")).error, httpx.ConnectError)
    world.transport.down.clear()
    with pytest.raises(httpx.ConnectError):
        await world.client.get("http://elsewhere/")
    assert world.log == ()


@in_virtual_time
async def test_what_came_at_one_time_is_read_at_once(new_world: Any) -> None:
    seen = await new_world().ask("fake-60+ms-0")
    assert len(seen.reads) == 1
    assert seen.done


@in_virtual_time
async def test_a_slow_reader_holds_the_provider_back(new_world: Any) -> None:
    world = new_world()
    request = world.client.build_request(
        "POST",
        "http://fake/chat/completions",
        headers={"authorization": "Bearer k"},
        json={"model": f"fake-60+huge-{2 * BUFFER_BYTES}", "stream": True,
              "messages": [{"role": "user", "content": "go"}]},
    )  # fmt: skip
    response = await world.client.send(request, stream=True)
    await asyncio.sleep(100.0)
    assert world.log[0].usage.output_tokens == 0
    body = await response.aread()
    assert body.endswith(b"[DONE]\n\n")
    assert world.log[0].blocked_s == pytest.approx(100.0, abs=0.02)
    assert world.log[0].ending is Ending.COMPLETE


@in_virtual_time
async def test_two_providers_live_at_two_hosts() -> None:
    clock = virtual.clock()
    first = FakeProvider(ProviderConfig(), clock, Listed(["http-503"]))
    second = FakeProvider(ProviderConfig(), clock)
    transport = FakeTransport({"one": first, "two": second}, clock)
    async with httpx.AsyncClient(transport=transport) as client:
        answers = [
            await client.post(
                f"http://{host}/chat/completions",
                headers={"authorization": "Bearer k"},
                json={"model": "fake-5", "messages": [{"role": "user", "content": "go"}]},
            )
            for host in ("one", "two")
        ]
    assert [answer.status_code for answer in answers] == [503, 200]


@in_virtual_time
async def test_a_bug_in_the_provider_is_a_reset_and_not_a_hang(
    new_world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def explode(case: Any) -> Iterator[Action]:
        yield Head(200)
        yield Send(b"x")
        raise ValueError("a bug")

    monkeypatch.setattr("sidecar.testing.provider.healthy", explode)
    world = new_world()
    with caplog.at_level(logging.ERROR):
        seen = await world.ask("fake-5")
    assert isinstance(seen.error, httpx.ReadError)
    assert world.log[0].ending is Ending.STOPPED
    assert "the fake provider failed" in caplog.text
