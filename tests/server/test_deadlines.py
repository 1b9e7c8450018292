"""The caller's deadline, wherever it finds the request: told as such, and the provider let go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from headway import HeadwayError

from sidecar.testing import Ending, RunningProvider
from tests.support.configs import config, deepseek
from tests.support.daemon import PATIENCE_S
from tests.support.fixtures import Start
from tests.support.machine import Starvation

pytestmark = pytest.mark.process
ENGINES = ("loop", "aio")

DEADLINE_S = 2.0
# How late the provider may see it, seconds, the machine's own part off.
LATE_S = 0.1
WHILE = {
    "before headers": "fake-60+headers-30",
    "before the first token": "fake-60+first-30",
    "in reasoning": "fake-reasoner-400-10+ms-100",
    "in the answer": "fake-400+ms-100",
}


@pytest.mark.parametrize("moment", WHILE)
async def test_a_deadline_ends_the_call_and_the_providers_connection(
    start: Start, folder: Path, provider: RunningProvider, moment: str
) -> None:
    daemon = await start(config(folder, provider.base_url, f"deepseek/{WHILE[moment]}"))
    async with daemon.client() as client, Starvation(daemon.process.pid) as starved:
        with pytest.raises(HeadwayError) as told:
            await client.stream("default", "Hurry.", timeout_s=DEADLINE_S).read()
        async with asyncio.timeout(PATIENCE_S):
            await provider.wait_over(1)
        waited_s = starved.waited_s(0.0, float("inf"))
        await daemon.wait_status(client, lambda status: status.streams.active == 0)
    assert told.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    (entry,) = provider.log
    assert entry.ending is Ending.CLIENT_CLOSED
    assert entry.ended_s is not None
    assert entry.ended_s - entry.received_s <= DEADLINE_S + LATE_S + waited_s
    assert await daemon.terminate() == 0
    assert [row["outcome"] for row in daemon.rows()] == ["abandoned"]


async def test_a_deadline_in_the_queue_reaches_no_provider(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    one_place = deepseek(provider.base_url, {"concurrency": 1})
    daemon = await start(
        config(folder, provider.base_url, "deepseek/fake-60+ms-500")
        | {"providers": {"deepseek": one_place}}
    )
    async with daemon.client() as client, client.stream("default", "First.") as first:
        await anext(first)
        with pytest.raises(HeadwayError) as told:
            await client.stream("default", "Second.", timeout_s=DEADLINE_S).read()
        assert told.value.reason in ("DEADLINE_EXCEEDED", "DEADLINE_TOO_SHORT")
        status = await daemon.wait_status(client, lambda status: status.streams.active == 1)
        assert status.targets[0].in_flight == 1
    assert len(provider.log) == 1
