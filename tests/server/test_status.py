"""What a daemon tells of itself: of each "not now" until when and why; what was used; models."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway import AsyncClient, HeadwayError
from headway.v1 import control_pb2, status_pb2

from sidecar.testing import RunningProvider
from tests.support.configs import Config, config, deepseek
from tests.support.fixtures import Start

pytestmark = pytest.mark.process

# One is told to wait for a minute, the other is down until its breaker trips, the third is silent.
LIMITED, DOWN = "deepseek/fake-60+http-429-60", "other/fake-60+http-503"
SILENT = "other/fake-60+silent-60"
BREAKER = {"consecutive": 2, "open": "60s", "open_max": "60s"}


async def failing(client: AsyncClient, model: str) -> HeadwayError:
    with pytest.raises(HeadwayError) as told:
        await client.complete(model, "Hello.", timeout_s=5.0)
    return told.value


def two_targets(folder: Path, base_url: str, **sections: object) -> Config:
    return config(folder, base_url, LIMITED, DOWN, breaker=BREAKER, **sections)


def target_of(status: status_pb2.DaemonStatus, name: str) -> status_pb2.TargetStatus:
    (found,) = (t for t in status.targets if f"{t.provider}/{t.model}" == name)
    return found


def seconds_left(status: status_pb2.DaemonStatus, not_now: status_pb2.NotNow) -> float:
    return (not_now.until.ToNanoseconds() - status.time.ToNanoseconds()) / 1e9


async def test_every_not_now_has_its_reason_and_its_end(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(two_targets(folder, provider.base_url))
    async with daemon.client() as client:
        await failing(client, "default")
        status = await daemon.wait_status(
            client, lambda status: all(target.HasField("not_now") for target in status.targets)
        )
    limited, down = target_of(status, LIMITED), target_of(status, DOWN)
    assert (limited.not_now.reason, down.not_now.reason) == ("RATE_LIMITED", "BREAKER_OPEN")
    assert 0 < seconds_left(status, limited.not_now) <= 60
    assert 0 < seconds_left(status, down.not_now) <= 60
    assert list(limited.routes) == list(down.routes) == ["default"]
    keys = {key.alias: key for key in status.keys}
    assert keys["k1"].not_now.reason == "RATE_LIMITED"
    assert keys["k1"].last_failure == "RATE_LIMITED"
    assert keys["o1"].last_failure == "PROVIDER_OVERLOADED"
    (breaker,) = (b for b in status.breakers if b.id == DOWN)
    assert breaker.state == status_pb2.BREAKER_STATE_OPEN
    assert breaker.not_now.reason == "BREAKER_OPEN"


async def test_a_target_that_does_not_answer_is_told_as_such(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    wanted = config(folder, provider.base_url, SILENT, breaker=BREAKER)
    wanted["providers"]["other"]["timeouts"] = {"headers": "200ms", "connect": "200ms"}
    daemon = await start(wanted)
    async with daemon.client() as client:
        await failing(client, "default")
        status = await client.status()
    assert target_of(status, SILENT).not_now.reason == "BREAKER_OPEN"
    assert {key.last_failure for key in status.keys if key.alias == "o1"} == {"NO_RESPONSE"}


async def test_a_full_bucket_shows_what_is_free(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    limits = ({"requests": 6, "per": "60s", "burst": 3}, {"concurrency": 5})
    limited = {"deepseek": deepseek(provider.base_url, *limits)}
    daemon = await start(config(folder, provider.base_url, providers=limited))
    async with daemon.client() as client:
        await client.complete("default", "Hello.")
        buckets = {b.dimension: b for b in (await client.status()).buckets}
    requests = buckets[status_pb2.BUCKET_DIMENSION_REQUESTS]
    places = buckets[status_pb2.BUCKET_DIMENSION_CONCURRENCY]
    assert (requests.limit, requests.burst, requests.free_now) == (6, 3, 2)
    assert (places.limit, places.free_now) == (5, 5)


async def test_usage_has_a_row_for_each_outcome_and_their_sum(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(two_targets(folder, provider.base_url))
    async with daemon.client() as client:
        whole = await client.complete("deepseek/fake-60", "Hello.", caller="reports")
        await failing(client, DOWN)
        usage = await client.usage(group_by=["outcome", "provider"])
        mine = await client.usage(caller="reports")
    rows = {(row.provider, row.outcome): row for row in usage.rows}
    done = rows["deepseek", control_pb2.UsageRow(outcome="ATTEMPT_OUTCOME_COMPLETED").outcome]
    failed = rows["other", control_pb2.UsageRow(outcome="ATTEMPT_OUTCOME_FAILED").outcome]
    assert done.cost.total_nano_usd == whole.cost.total_nano_usd == mine.total.cost.total_nano_usd
    assert failed.attempts >= 2
    assert failed.cost.total_nano_usd == 0
    assert usage.total.attempts == done.attempts + failed.attempts


async def test_models_lists_routes_and_their_targets_with_prices(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(two_targets(folder, provider.base_url))
    async with daemon.client() as client:
        models = await client.models()
    (route,) = models.routes
    assert (route.name, list(route.targets)) == ("default", [LIMITED, DOWN])
    targets = {f"{target.provider}/{target.model}": target for target in models.targets}
    assert set(targets) == {LIMITED, DOWN}
    assert targets[LIMITED].resume == control_pb2.RESUME_SUPPORT_PREFIX
    assert targets[DOWN].resume == control_pb2.RESUME_SUPPORT_NONE
    assert targets[DOWN].dialect == "openai-chat"
    # DeepSeek's own figure; it takes a JSON object but no schema. Of the other nothing is known.
    assert (targets[LIMITED].max_output_tokens, targets[DOWN].max_output_tokens) == (384_000, 0)
    assert control_pb2.CAPABILITY_JSON_SCHEMA not in targets[LIMITED].capabilities
    assert control_pb2.CAPABILITY_JSON_SCHEMA in targets[DOWN].capabilities
    price = targets[LIMITED].price
    assert price.input_nano_usd_per_million == 150_000_000
    assert price.output_nano_usd_per_million == 600_000_000
