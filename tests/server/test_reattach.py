"""One request_id, one request, one bill: over connections that break, and callers that repeat."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from headway import HeadwayError

from sidecar.testing import RunningProvider, written
from tests.support.configs import config
from tests.support.fixtures import Start
from tests.support.relay import Relay

pytestmark = pytest.mark.process

TEXT = written(0, 20, 40)
MODEL = "deepseek/fake-reasoner-20-40+ms-30"
ID = "6f1c9a52-6d0e-4c1f-9b7e-0f8a4be0a002"


async def test_a_stream_goes_on_over_a_connection_that_was_cut(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url, MODEL))
    relayed = Relay(folder / "relay.sock", daemon.socket)
    async with relayed as relay, daemon.client(relay.target) as client:
        stream = client.stream("default", "Go on.", reattach=True)
        seen = 0
        async for _ in stream:
            seen += 1
            if seen in (5, 20):
                relay.cut()
        result = stream.result
    assert (result.reasoning, result.answer) == (TEXT.reasoning, TEXT.answer)
    assert len(provider.log) == 1
    assert await daemon.terminate() == 0
    assert len(daemon.rows()) == 1


async def test_another_caller_with_the_id_joins_the_stream_that_runs(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url, MODEL))
    async with daemon.client() as client:
        first = client.stream("default", "Go on.", request_id=ID)
        await anext(first)
        joined = await client.complete("default", "Go on.", request_id=ID)
        whole = await first.read()
    assert (joined.reasoning, joined.answer) == (whole.reasoning, whole.answer)
    assert joined.answer == TEXT.answer
    assert len(provider.log) == 1


async def test_a_finished_request_is_given_again_from_anywhere_in_it(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url, MODEL))
    async with daemon.client() as client:
        whole = await client.stream("default", "Go on.", request_id=ID).read()
        again = await client.stream("default", "Go on.", request_id=ID).read()
        late = client.stream(
            "default", "Go on.", request_id=ID, after_sequence=whole.last_sequence - 1
        )
        tail = [event async for event in late]
    assert again == whole
    assert len(tail) == 1
    assert len(provider.log) == 1


async def test_an_id_of_another_request_is_refused(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url, MODEL))
    async with daemon.client() as client:
        await client.complete("default", "Go on.", request_id=ID)
        with pytest.raises(HeadwayError) as told:
            await client.complete("default", "Something else.", request_id=ID)
    assert told.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert told.value.reason == "NOT_REPLAYABLE"
    assert len(provider.log) == 1
