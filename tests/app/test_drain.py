"""The end of a daemon: what runs may finish, what cannot is told, nothing is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from headway import AsyncClient, AsyncStream, HeadwayError
from headway.v1 import status_pb2

from sidecar.testing import RunningProvider, written
from tests.support.configs import config
from tests.support.daemon import PATIENCE_S, Daemon
from tests.support.fixtures import Start

pytestmark = pytest.mark.process

TEXT = written(0, 0, 60).answer
# One ends by itself after some three seconds, the other after a minute.
SHORT, LONG = "deepseek/fake-60+ms-50", "deepseek/fake-60+ms-1000"
DRAINING = status_pb2.SERVING_STATE_DRAINING


async def begun(client: AsyncClient, model: str, **options: str) -> AsyncStream:
    """A stream whose first event has arrived."""
    stream = client.stream(model, "Go on.", **options)  # type: ignore[arg-type]
    await anext(stream)
    return stream


async def draining(daemon: Daemon, client: AsyncClient) -> None:
    await daemon.wait_status(client, lambda status: status.state == DRAINING)


async def ending_of(stream: AsyncStream) -> HeadwayError:
    with pytest.raises(HeadwayError) as told:
        await stream.read()
    return told.value


async def test_sigterm_lets_a_stream_finish_and_refuses_new_ones(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    async with daemon.client() as client:
        stream = await begun(client, SHORT)
        daemon.process.terminate()
        await draining(daemon, client)
        refused = await ending_of(client.stream("default", "One more."))
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
        assert (await stream.read()).answer == TEXT
    assert await daemon.wait() == 0
    assert [row["outcome"] for row in daemon.rows()] == ["completed"]


@pytest.mark.parametrize("request_id", ["", "6f1c9a52-6d0e-4c1f-9b7e-0f8a4be0a001"])
async def test_a_stream_longer_than_the_grace_ends_with_a_typed_error(
    start: Start, folder: Path, provider: RunningProvider, request_id: str
) -> None:
    short_grace = {"drain_grace": "2s"}
    daemon = await start(config(folder, provider.base_url, server=short_grace))
    async with daemon.client() as client:
        stream = await begun(client, LONG, request_id=request_id)
        daemon.process.terminate()
        told = await ending_of(stream)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    assert told.result.answer
    assert TEXT.startswith(told.result.answer)
    assert await daemon.wait() == 0
    assert [row["outcome"] for row in daemon.rows()] == ["abandoned"]
    async with asyncio.timeout(PATIENCE_S):
        await provider.wait_over(1)


async def test_the_drain_rpc_tells_how_many_finished_and_how_many_were_ended(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    async with daemon.client() as client:
        short, long = await begun(client, SHORT), await begun(client, LONG)
        answer = await client.drain(12.0)
        assert (answer.finished, answer.ended) == (1, 1)
        assert (await short.read()).answer == TEXT
        assert (await ending_of(long)).reason == "DRAINING"
    assert await daemon.wait() == 0


async def test_a_request_that_waits_in_the_queue_is_drained_too(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url, server={"drain_grace": "1s"}))
    async with daemon.client() as client:
        waiting = client.stream("deepseek/fake-60+http-429-60", "Wait.")
        await daemon.wait_status(client, lambda status: status.keys[0].last_failure != "")
        daemon.process.terminate()
        assert (await ending_of(waiting)).reason == "DRAINING"
    assert await daemon.wait() == 0
