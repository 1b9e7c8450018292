"""What every store of budgets promises; each test runs over each of them."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from sidecar.core.clock import LoopClock
from sidecar.limits.spend import Account, MemorySpend, Rule, SpendStore
from sidecar.limits.spend_redis import redis_spend
from sidecar.limits.spend_shared import SharedSpend
from tests.limits.servers import Server

DAY = Rule("team", "day", 1000, caller="search")
JOB = Rule("job", "month", 300, label=("job", "nightly"))
PATIENCE_S = 20.0


class Shop:
    """Makes stores of one fleet; `wall_ns` is now."""

    def __init__(self, server: Server | None) -> None:
        self.clock = LoopClock(asyncio.get_running_loop())
        self.prefix = f"test-{uuid.uuid4()}"
        self.stores: list[SpendStore] = []
        self._server = server

    def store(self, pods: int = 1) -> SpendStore:
        store: SpendStore = MemorySpend() if self._server is None else self.shared(pods)
        self.stores.append(store)
        return store

    def shared(self, pods: int = 1) -> SharedSpend:
        assert self._server is not None
        client = redis.asyncio.Redis.from_url(self._server.url, socket_connect_timeout=0.1)
        rng = random.Random(len(self.stores))
        pod = f"p{len(self.stores)}"
        store = redis_spend(self.clock, client, pod, rng, lambda: pods, self.prefix)
        self.stores.append(store)
        return store

    def account(self, rule: Rule) -> Account:
        return rule.account(self.clock.wall_ns())

    async def aclose(self) -> None:
        for store in set(self.stores):
            await store.aclose()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    one = Shop(None if request.param == "memory" else request.getfixturevalue("server"))
    yield one
    await one.aclose()


@pytest.fixture
async def fleet(own_server: Server) -> AsyncIterator[Shop]:
    one = Shop(own_server)
    yield one
    await one.aclose()


async def reserved(store: SpendStore, account: Account, nano_usd: int) -> bool:
    """Is it granted? The store may be slow to wake on a busy machine, never wrong."""
    return await store.reserve((account,), nano_usd) is None


async def test_up_to_the_limit_is_granted_and_nothing_beyond(shop: Shop) -> None:
    store, account = shop.store(), shop.account(DAY)
    assert await reserved(store, account, 600)
    assert await reserved(store, account, 400)
    assert not await reserved(store, account, 1)
    assert store.spent(account) == 1000


async def test_where_nothing_is_left_not_even_a_free_request_passes(shop: Shop) -> None:
    store, account = shop.store(), shop.account(DAY)
    assert await reserved(store, account, 1000)
    assert not await reserved(store, account, 0)


async def test_all_budgets_or_none(shop: Shop) -> None:
    store, day, job = shop.store(), shop.account(DAY), shop.account(JOB)
    refused = await store.reserve((day, job), 400)
    assert refused is not None
    assert refused.account.rule is JOB
    assert (store.spent(day), store.spent(job)) == (0, 0)


async def test_what_was_not_needed_comes_back(shop: Shop) -> None:
    store, account = shop.store(), shop.account(DAY)
    assert await reserved(store, account, 900)
    store.correct(account, -800)
    assert store.spent(account) == 100


async def test_what_the_ledger_remembers_is_spent(shop: Shop) -> None:
    store, account = shop.store(), shop.account(DAY)
    store.recall(account, 950)
    assert not await reserved(store, account, 100)


async def test_a_new_window_begins_at_nothing(shop: Shop) -> None:
    store, account = shop.store(), shop.account(DAY)
    assert await reserved(store, account, 1000)
    following = DAY.account(account.window.end_ns)
    assert await reserved(store, following, 1000)


async def until_told(*stores: SharedSpend) -> None:
    async with asyncio.timeout(PATIENCE_S):
        for store in stores:
            while True:
                await asyncio.sleep(0)
                if not store.away and not any(o.owed or o.sent for o in store._known.values()):
                    break


async def test_pods_share_one_sum(fleet: Shop) -> None:
    one, two = fleet.shared(), fleet.shared()
    account = fleet.account(DAY)
    assert await reserved(one, account, 600)
    assert not await reserved(two, account, 600)
    one.start((account,))
    one.correct(account, -500)
    await until_told(one)
    assert await reserved(two, account, 600)


async def test_many_pods_at_once_never_spend_more_than_there_is(fleet: Shop) -> None:
    account = fleet.account(DAY)
    stores = [fleet.shared(8) for _ in range(8)]
    granted = 0
    for _ in range(20):
        answers = await asyncio.gather(*(reserved(store, account, 30) for store in stores))
        granted += sum(answers)
    assert granted <= 1000 // 30
    assert granted >= 1000 // 30 - 8


async def test_without_redis_a_pod_spends_its_part_of_what_was_left(fleet: Shop) -> None:
    one, account = fleet.shared(pods=4), fleet.account(DAY)
    assert await reserved(one, account, 200)
    fleet._server.stop()  # type: ignore[union-attr]
    assert await reserved(one, account, 200)
    assert not await reserved(one, account, 1)
    assert one.away


async def test_what_was_spent_without_redis_is_told_when_it_is_back(fleet: Shop) -> None:
    one, two = fleet.shared(pods=2), fleet.shared(pods=2)
    account = fleet.account(DAY)
    one.start((account,))
    fleet._server.stop()  # type: ignore[union-attr]
    assert await reserved(one, account, 500)
    fleet._server.start()  # type: ignore[union-attr]
    await until_told(one)
    assert not await reserved(two, account, 501)


async def test_redis_that_lost_everything_learns_it_from_who_knew(fleet: Shop) -> None:
    one, account = fleet.shared(), fleet.account(DAY)
    assert await reserved(one, account, 700)
    with fleet._server.client() as client:  # type: ignore[union-attr]
        client.flushall()
    assert not await reserved(one, account, 301)


async def test_redis_that_rolled_back_is_told_what_was_seen(fleet: Shop) -> None:
    one, account = fleet.shared(), fleet.account(DAY)
    assert await reserved(one, account, 100)
    with fleet._server.client() as client:  # type: ignore[union-attr]
        (name,) = client.keys("*spend*")
        before = client.hgetall(name)
        assert await reserved(one, account, 700)
        client.hset(name, mapping=before)
    assert not await reserved(one, account, 301)
