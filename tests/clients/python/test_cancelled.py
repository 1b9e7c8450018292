"""A task that reads a stream is cancelled: the request goes with it, wherever it stands."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from headway import AsyncClient

from . import peer
from .peer import Daemon


async def test_cancelling_the_reading_task_cancels_the_request(daemon: Daemon, local: str) -> None:
    reading = threading.Event()

    def wait(request: Any, context: Any) -> None:
        reading.set()
        daemon.ended.wait(peer.PATIENCE_S)

    daemon.scripts = [peer.play_then(peer.first(), then=wait)]
    async with AsyncClient(local) as client:
        stream = client.stream("default", "Why?")
        task = asyncio.create_task(stream.read())
        assert await asyncio.to_thread(reading.wait, peer.PATIENCE_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(daemon.ended.wait, peer.PATIENCE_S)


async def test_cancelling_it_as_the_request_has_gone_out_cancels_the_request_too(
    daemon: Daemon, local: str
) -> None:
    """Between that moment and the first read grpc.aio itself leaves the call alone."""
    daemon.scripts = [
        peer.play_then(peer.first(), then=lambda *_: daemon.ended.wait(peer.PATIENCE_S))
    ]
    async with AsyncClient(local) as client:
        stream = client.stream("default", "Why?")
        stream._call._preparation.add_done_callback(lambda _: task.cancel())
        task = asyncio.create_task(stream.read())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(daemon.ended.wait, peer.PATIENCE_S)
