"""kill -9 under load: what had ended is in the ledger after the next start, to the last entry."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from headway import AsyncClient, HeadwayError, Result

from sidecar.testing import RunningProvider
from tests.support.configs import config
from tests.support.fixtures import Start

pytestmark = pytest.mark.process

# Callers that ask one thing after another until the daemon dies, and enough answers to kill it.
CALLERS = 20
ENOUGH = 60
# Still running at the kill, and after two seconds known to the ledger as such.
LONG = "deepseek/fake-400+ms-200"


class Crowd:
    """Asks until nobody answers, and keeps what every whole answer cost, by its label."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.whole: dict[str, Result] = {}
        self.enough = asyncio.Event()

    async def ask_on(self, number: int) -> None:
        turn = 0
        while True:
            turn += 1
            name = f"{number}.{turn}"
            try:
                self.whole[name] = await self._client.stream("default", "Go.", caller=name).read()
            except HeadwayError:
                return
            if len(self.whole) >= ENOUGH:
                self.enough.set()


async def test_no_finished_attempt_is_lost_by_a_kill(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    wanted = config(folder, provider.base_url, "deepseek/fake-reasoner-10-20")
    killed = await start(wanted)
    async with killed.client() as client:
        long = client.stream(LONG, "Go on.", caller="long")
        for _ in range(10):
            await anext(long)
        crowd = Crowd(client)
        asking = [asyncio.create_task(crowd.ask_on(number)) for number in range(CALLERS)]
        await crowd.enough.wait()
        await killed.kill()
        await asyncio.gather(*asking)

    next_one = await start(wanted)
    async with next_one.client() as client:
        assert (await client.usage()).total.attempts >= len(crowd.whole)
    assert await next_one.terminate() == 0
    rows = {row["caller"]: row for row in next_one.rows()}
    assert len(rows) == len(next_one.rows())
    for name, result in crowd.whole.items():
        row = rows[name]
        cost = row["input_nano_usd"] + row["reasoning_nano_usd"] + row["answer_nano_usd"]
        assert (row["outcome"], cost) == ("completed", result.cost.total_nano_usd)
    died = rows["long"]
    assert (died["outcome"], died["reason"], died["estimated"]) == ("interrupted", "DAEMON_DIED", 1)
    assert died["input_nano_usd"] > 0
