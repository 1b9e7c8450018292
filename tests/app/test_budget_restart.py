"""A budget holds over a restart of the daemon."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway import HeadwayError

from sidecar.testing import RunningProvider
from tests.support.configs import config
from tests.support.fixtures import Start

pytestmark = pytest.mark.process


async def test_what_was_spent_before_a_restart_is_spent(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    budget = {"caller": "search", "per": "month", "limit": 9.0}
    daemon = await start(config(folder, provider.base_url, budgets={"team": budget}))
    async with daemon.client() as client:
        result = await client.complete("default", "Hello.", caller="search")
        (told,) = (await client.status()).budgets
        assert told.spent_nano_usd == result.cost.total_nano_usd > 0
    await daemon.terminate()
    tight = {**budget, "limit": f"{told.spent_nano_usd / 1e9:.9f}"}
    again = await start(config(folder, provider.base_url, budgets={"team": tight}))
    async with again.client() as client:
        assert (await client.status()).budgets[0].spent_nano_usd == told.spent_nano_usd
        with pytest.raises(HeadwayError) as caught:
            await client.complete("default", "Hello.", caller="search")
        assert caught.value.reason == "BUDGET_EXHAUSTED"
        await client.complete("default", "Hello.", caller="another")
