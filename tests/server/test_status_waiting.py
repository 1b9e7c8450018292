"""Who waits for what, and what stands beside the requests: the status of a daemon under load."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from headway import AsyncClient, HeadwayError
from headway.v1 import status_pb2

from sidecar.testing import ProviderConfig, RunningProvider, running_provider
from sidecar.testing.options import quotas_from
from tests.limits.servers import running
from tests.support.configs import Config, config, deepseek
from tests.support.daemon import Daemon
from tests.support.fixtures import Start
from tests.telemetry.collector import Collector

pytestmark = pytest.mark.process

MODEL = "deepseek/fake-60"
LIMIT = {"requests": 1, "per": "60s", "burst": 1}
BUCKET = "deepseek/a/*/requests@60s"


def limited(folder: Path, base_url: str, *limits: Config, **sections: Any) -> Config:
    made = config(folder, base_url, MODEL, **sections)
    made["providers"]["deepseek"] = deepseek(base_url, *(limits or (LIMIT,)))
    return made


def ns(moment: Timestamp) -> int:
    return moment.ToNanoseconds()


@asynccontextmanager
async def waiting(client: AsyncClient, *callers: str) -> AsyncIterator[None]:
    """Requests of these callers that are not going to be served soon."""
    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(client.complete("default", "Hi.", caller=name, timeout_s=500.0))
        for name in callers
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def waits(count: int) -> Callable[[status_pb2.DaemonStatus], bool]:
    return lambda status: sum(queue.waiting for queue in status.queues) == count


async def test_those_who_wait_are_told_with_what_they_wait_for(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(limited(folder, provider.base_url))
    async with daemon.client() as client:
        await client.complete("default", "Hi.")
        async with waiting(client, "search", "search", "batch"):
            status = await daemon.wait_status(client, waits(3))
    (queue,) = status.queues
    assert (queue.id, {c.caller: c.waiting for c in queue.callers}) == (
        "default",
        {"search": 2, "batch": 1},
    )
    assert queue.oldest_waited.ToMilliseconds() > 0
    # The bucket is refilled within a minute, and two of those who wait go before another.
    assert 120 < queue.expected_wait.ToSeconds() <= 180
    (bucket,) = status.buckets
    assert (bucket.id, bucket.waiting, bucket.free_now) == (BUCKET, 3, 0)
    assert bucket.HasField("next_free_at")
    (target,) = status.targets
    assert target.not_now.reason == "BUCKET_EMPTY"
    assert abs(ns(target.not_now.until) - ns(bucket.next_free_at)) < 1e6


async def test_what_an_attempt_waits_for_is_told_with_its_end(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    """A provider that queues: headers at once, the first token after half a minute."""
    daemon = await start(config(folder, provider.base_url, "other/fake-60+keepalive-30-1"))
    async with daemon.client() as client:
        async with waiting(client, "search", "batch"):
            status = await daemon.wait_status(client, _both_wait_for_a_token)
        (awaited,) = status.targets[0].awaited
        assert ns(awaited.since) <= ns(status.time) < ns(awaited.until)
        # The clock of a model that thinks (`first_event`).
        assert (ns(awaited.until) - ns(awaited.since)) / 1e9 == pytest.approx(180.0)
        await daemon.wait_status(client, lambda status: not status.targets[0].awaited)


def _both_wait_for_a_token(status: status_pb2.DaemonStatus) -> bool:
    stage = status_pb2.ATTEMPT_STAGE_FIRST_TOKEN
    (target,) = status.targets
    return [(one.stage, one.attempts) for one in target.awaited] == [(stage, 2)]


async def test_a_route_nobody_waits_for_is_told_as_such(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(limited(folder, provider.base_url))
    async with daemon.client() as client:
        (queue,) = (await client.status()).queues
    assert (queue.id, queue.waiting, len(queue.callers)) == ("default", 0, 0)
    assert not queue.HasField("oldest_waited")
    assert not queue.HasField("expected_wait")


async def test_a_limit_that_the_provider_lowered_names_the_configured_one(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    narrow = ProviderConfig(quotas=quotas_from(["concurrency:3"]))
    async with running_provider(narrow) as other:
        # Long enough for all to be in flight at once.
        made = limited(folder, other.base_url, {"concurrency": 500})
        made["routes"]["default"]["targets"] = ["deepseek/fake-60+ms-20"]
        daemon = await start(made)
        async with daemon.client() as client:
            asked = (client.complete("default", "Hi.", timeout_s=60.0) for _ in range(8))
            await asyncio.gather(*asked)
            (bucket,) = (await client.status()).buckets
        await daemon.terminate()
    assert bucket.source == status_pb2.BUCKET_SOURCE_LEARNED
    assert (bucket.limit, bucket.configured_limit) == (3, 500)


async def test_the_ledger_tells_what_it_wrote(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    async with daemon.client() as client:
        for _ in range(3):
            await client.complete("default", "Hi.")
        status = await daemon.wait_status(client, lambda status: not status.ledger.pending)
    assert status.ledger.written == 3
    assert not status.ledger.HasField("not_now")


async def test_the_exporter_tells_what_it_sent(
    start: Start, folder: Path, provider: RunningProvider, collector: Collector
) -> None:
    telemetry = {"otlp_endpoint": collector.endpoint}
    daemon = await start(config(folder, provider.base_url, telemetry=telemetry))
    async with daemon.client() as client:
        await client.complete("default", "Hi.")
        status = await daemon.wait_status(client, lambda status: status.telemetry.sent > 0)
    assert status.telemetry.endpoint == collector.endpoint
    assert (status.telemetry.dropped, status.telemetry.HasField("not_now")) == (0, False)


async def test_a_collector_that_is_not_there_is_told_and_when_it_is_asked_again(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        endpoint = f"http://user:hunter2@127.0.0.1:{bound.getsockname()[1]}"
        telemetry = {"otlp_endpoint": endpoint}
        daemon = await start(config(folder, provider.base_url, telemetry=telemetry))
        async with daemon.client() as client:
            await client.complete("default", "Hi.")
            status = await daemon.wait_status(
                client, lambda status: status.telemetry.HasField("not_now")
            )
    assert status.telemetry.not_now.reason == "COLLECTOR_REFUSES"
    assert ns(status.telemetry.not_now.until) >= ns(status.time)
    assert "hunter2" not in str(status)


async def test_the_mode_of_the_store_says_since_when_and_what_is_wrong(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    with running(folder) as server:
        daemon = await start(limited(folder, provider.base_url, {"requests": 9}, store=server.url))
        async with daemon.client() as client:
            await client.complete("default", "Hi.")
            before = (await client.status()).store
            server.stop()
            async with waiting(client, "one", "two"):
                status = await daemon.wait_status(client, _lost)
    assert (before.mode, before.share) == (status_pb2.STORE_MODE_REDIS, 1.0)
    assert ns(status.store.since) > ns(before.since)
    assert 0 < status.store.share <= 1
    assert status.store.not_now.reason == "STORE_AWAY"
    assert ns(status.store.not_now.until) > ns(status.time)


def _lost(status: status_pb2.DaemonStatus) -> bool:
    return status.store.mode == status_pb2.STORE_MODE_REDIS_LOST


async def test_a_breaker_says_since_when_it_is_as_it_is(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    breaker = {"consecutive": 1, "open": "60s", "open_max": "60s"}
    made = config(folder, provider.base_url, "other/fake-60+http-503", breaker=breaker)
    daemon = await start(made)
    async with daemon.client() as client:
        (closed,) = (await client.status()).breakers
        with pytest.raises(HeadwayError):
            await client.complete("default", "Hi.", timeout_s=5.0)
        status = await client.status()
    assert closed.since == status.started
    (opened,) = status.breakers
    assert ns(status.started) < ns(opened.since) <= ns(status.time)


async def shares_a_bucket(daemon: Daemon) -> status_pb2.BucketStatus:
    async with daemon.client() as client:
        (bucket,) = (await client.status()).buckets
    return bucket


@pytest.mark.redis
async def test_with_a_common_store_the_figures_are_the_fleets(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    """Two daemons, one bucket: what one took is gone for the other, too."""
    os.mkdir(folder / "two")
    with running(folder) as server:
        limit = {"requests": 6, "per": "10h", "burst": 6}
        made = limited(folder, provider.base_url, limit, store=server.url)
        first = await start(made)
        second = Daemon(
            folder / "two", limited(folder / "two", provider.base_url, limit, store=server.url)
        )
        await second.start()
        try:
            async with first.client() as one, second.client() as two:
                for client in (one, one, one, two):
                    await client.complete("default", "Hi.", timeout_s=20.0)
            assert (await shares_a_bucket(second)).free_now == 2
        finally:
            await second.close()
