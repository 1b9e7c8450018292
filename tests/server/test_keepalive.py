"""A client that pings through a long thought is not told off for it."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from headway.v1 import completion_pb2, completion_pb2_grpc

from sidecar.testing import RunningProvider, written
from tests.support.configs import config
from tests.support.fixtures import Start
from tests.support.messages import asking

pytestmark = [pytest.mark.process, pytest.mark.slow]
ENGINES = ("loop", "aio")

# Every second; with gRPC's own defaults for servers the third ping would end the connection.
PINGING = (
    ("grpc.default_authority", "localhost"),
    ("grpc.keepalive_time_ms", 1000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


async def test_a_silent_stream_survives_a_client_that_pings_every_second(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url, "deepseek/fake-60+first-12"))
    async with grpc.aio.insecure_channel(daemon.target, options=PINGING) as channel:
        stub = completion_pb2_grpc.CompletionServiceStub(channel)
        request = completion_pb2.StreamCompletionRequest(completion=asking("default"))
        texts = [message.answer.text async for message in stub.StreamCompletion(request)]
    assert "".join(texts) == written(0, 0, 60).answer
