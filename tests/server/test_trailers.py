"""Trailers: what a proxy's access log can see of a call, on both doors and on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from headway.v1 import completion_pb2, completion_pb2_grpc

from sidecar.core.failure import Reason, RequestFailed
from sidecar.server.trailers import of_failure
from sidecar.testing import RunningProvider
from tests.support.configs import config
from tests.support.daemon import Daemon
from tests.support.fixtures import Start
from tests.support.messages import asking

GOOD, DOWN = "deepseek/fake-60", "other/fake-60+http-503"


async def streamed(stub: Any, model: str) -> Any:
    request = completion_pb2.StreamCompletionRequest(completion=asking(model))
    call = stub.StreamCompletion(request)
    async for _ in call:
        pass
    return await call.trailing_metadata()


async def whole(stub: Any, model: str) -> Any:
    call = stub.Complete(completion_pb2.CompleteRequest(completion=asking(model)))
    await call
    return await call.trailing_metadata()


BOTH = [streamed, whole]


async def told(daemon: Daemon, door: Any, model: str) -> dict[str, str]:
    """The trailers of one call, however it ends."""
    async with daemon.channel() as channel:
        stub = completion_pb2_grpc.CompletionServiceStub(channel)
        try:
            return dict(await door(stub, model))
        except grpc.aio.AioRpcError as error:
            return dict(error.trailing_metadata())


@pytest.mark.process
@pytest.mark.parametrize("door", BOTH)
@pytest.mark.parametrize("engine", ["auto", "aio"])
async def test_a_success_says_who_answered_and_what_all_attempts_cost(
    start: Start, folder: Path, provider: RunningProvider, door: Any, engine: str
) -> None:
    targets, server = (DOWN, GOOD), {"engine": engine}
    daemon = await start(config(folder, provider.base_url, *targets, server=server))
    trailers = await told(daemon, door, "default")
    assert trailers["headway-provider"] == "deepseek"
    assert trailers["headway-model"] == "fake-60"
    assert int(trailers["headway-attempts"]) > 1
    bill = provider.provider.bill.total.cost.total_nano_usd
    assert int(trailers["headway-cost-nano-usd"]) == bill > 0


@pytest.mark.process
@pytest.mark.parametrize("door", BOTH)
@pytest.mark.parametrize("engine", ["auto", "aio"])
async def test_a_failure_says_why_and_what_was_tried(
    start: Start, folder: Path, provider: RunningProvider, door: Any, engine: str
) -> None:
    daemon = await start(config(folder, provider.base_url, DOWN, server={"engine": engine}))
    trailers = await told(daemon, door, "default")
    assert trailers["headway-reason"] == "ATTEMPTS_EXHAUSTED"
    assert trailers["headway-provider"] == "other"
    assert trailers["headway-model"] == "fake-60+http-503"
    assert int(trailers["headway-attempts"]) >= 1
    assert trailers["headway-cost-nano-usd"] == "0"
    assert int(trailers["grpc-retry-pushback-ms"]) >= 0
    assert "grpc-status-details-bin" in trailers


@pytest.mark.process
@pytest.mark.parametrize("door", BOTH)
async def test_a_request_that_cannot_be_says_so_without_an_attempt(
    start: Start, folder: Path, provider: RunningProvider, door: Any
) -> None:
    daemon = await start(config(folder, provider.base_url))
    trailers = await told(daemon, door, "nobody-knows-this")
    assert trailers["headway-reason"] == "UNKNOWN_MODEL"
    assert trailers["headway-attempts"] == "0"
    assert trailers["grpc-retry-pushback-ms"] == "-1"
    assert "headway-provider" not in trailers


def test_a_name_that_is_not_ascii_is_written_in_per_cents() -> None:
    error = RequestFailed(Reason.ATTEMPTS_EXHAUSTED, "m", metadata={"targets": "p/modèle\n"})
    assert ("headway-model", "mod%C3%A8le%0A") in of_failure(error, None)
