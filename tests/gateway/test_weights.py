"""Who gets how much of a saturated limit: callers by their weights, BATCH its guaranteed share."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from sidecar.config.schema import CallerConfig
from sidecar.core.failure import RequestFailed
from sidecar.core.request import Priority
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import House

# Four a second: in the time watched, so many leave.
LIMITS = "{requests: 4, per: 1s, burst: 1}"
WATCHED_S = 700.0
SHARES = {"batch": 1.0, "reports": 2.0, "search": 4.0}
# As many of each as keep it waiting at all times.
CROWD = 12


class Crowd:
    """Callers that ask again as soon as they are answered, counted by name."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.served: Counter[str] = Counter()

    async def member(self, caller: str, priority: Priority) -> None:
        while True:
            await self.house.ask(timeout_s=100_000.0, caller=caller, priority=priority)
            self.served[caller] += 1

    @asynccontextmanager
    async def asking(self, members: dict[str, Priority]) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(self.member(caller, priority))
            for caller, priority in members.items()
            for _ in range(CROWD)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert not [end for end in ends if isinstance(end, RequestFailed)]


@in_virtual_time
async def test_callers_share_a_queue_by_their_weights() -> None:
    house = House(limits=LIMITS, max_streams=1000)
    house.engine.admission.weights = SHARES
    crowd = Crowd(house)
    async with crowd.asking(dict.fromkeys(SHARES, Priority.NORMAL)):
        await asyncio.sleep(WATCHED_S)
    whole = crowd.served.total()
    assert whole >= 0.99 * 4 * WATCHED_S
    for caller, weight in SHARES.items():
        fair = whole * weight / sum(SHARES.values())
        assert abs(crowd.served[caller] - fair) <= 0.05 * fair, crowd.served
    await house.aclose()


@in_virtual_time
async def test_callers_without_weights_share_alike() -> None:
    house = House(limits=LIMITS, max_streams=1000)
    crowd = Crowd(house)
    async with crowd.asking(dict.fromkeys(SHARES, Priority.NORMAL)):
        await asyncio.sleep(WATCHED_S)
    fair = crowd.served.total() / len(SHARES)
    assert all(abs(crowd.served[caller] - fair) <= 0.05 * fair for caller in SHARES), crowd.served
    await house.aclose()


@in_virtual_time
async def test_batch_has_a_tenth_under_endless_interactive_load() -> None:
    house = House(limits=LIMITS, max_streams=1000)
    crowd = Crowd(house)
    async with crowd.asking({"people": Priority.INTERACTIVE, "nightly": Priority.BATCH}):
        await asyncio.sleep(WATCHED_S)
    share = crowd.served["nightly"] / crowd.served.total()
    assert 0.08 <= share <= 0.12, crowd.served
    await house.aclose()


@in_virtual_time
async def test_a_weight_out_of_the_configuration_counts_after_a_reload() -> None:
    house = House(limits=LIMITS, max_streams=1000)
    assert house.engine.admission.weights == {}
    config = replace(house.resolved.config, callers={"search": CallerConfig(4.0)})
    house.engine.apply(replace(house.resolved, config=config), house.keys, "second")
    assert house.engine.admission.weights == {"search": 4.0}
    await house.aclose()
