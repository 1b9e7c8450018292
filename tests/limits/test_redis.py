"""Several pods on a real Redis: sharing, losing, healing."""

from __future__ import annotations

import asyncio

import pytest
import redis

from sidecar.limits.bucket import Cost
from sidecar.limits.redis import client_of
from sidecar.limits.store import Granted, Observation, Refused
from tests.limits.meters import one, requests, seats, tokens
from tests.limits.pods import pods
from tests.limits.servers import Server

pytestmark = pytest.mark.redis

SLOW = requests("slow", limit=1, burst=5, per_s=3600.0)
"""A bucket that refills nothing while a test runs."""


def dump(server: Server) -> dict[str, bytes]:
    with redis.Redis(port=server.port) as raw:
        return {key: raw.dump(key) for key in raw.keys("*")}  # type: ignore[union-attr]


def restore(client: redis.Redis, kept: dict[str, bytes]) -> None:
    client.flushall()
    for key, value in kept.items():
        client.restore(key, 0, value)


async def test_two_pods_share_one_burst(server: Server) -> None:
    async with pods(server.url, 2) as (here, there):
        assert len(await here.fill(SLOW)) == 5
        assert await there.fill(SLOW) == []


async def test_a_seat_given_back_by_one_pod_is_free_for_the_other(server: Server) -> None:
    bucket = seats(limit=1)
    async with pods(server.url, 2) as (here, there):
        (granted,) = await here.fill(bucket)
        assert await there.fill(bucket) == []
        await here.settle(granted, Cost())
        assert len(await there.fill(bucket)) == 1


async def test_a_lesson_of_one_pod_serves_the_other(server: Server) -> None:
    bucket = seats(limit=500)
    async with pods(server.url, 2) as (here, there):
        await here.take(bucket)
        here.store.observe(bucket.id, Observation(limit=39, used=40, refused=True))
        await here.store.flush()
        assert len(await there.fill(bucket)) == 38


async def test_a_retry_after_heard_by_one_pod_holds_the_other_back(server: Server) -> None:
    bucket = requests(burst=50)
    async with pods(server.url, 2) as (here, there):
        await here.take(bucket)
        here.store.observe(bucket.id, Observation(wait_s=30.0))
        await here.store.flush()
        assert await there.fill(bucket) == []


async def test_a_caller_cancelled_in_the_middle_of_a_call_has_taken_nothing(
    server: Server,
) -> None:
    async with pods(server.url, 1) as (pod,):
        task = asyncio.create_task(pod.take(SLOW))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await pod.store.flush()
        assert len(await pod.fill(SLOW)) == 5


async def test_three_hundred_callers_cancelled_anywhere_leave_nothing_taken(
    server: Server,
) -> None:
    rate, seat = requests("many", limit=1, burst=400, per_s=36000.0), seats(limit=400)
    async with pods(server.url, 1) as (pod,):
        for delay in range(300):
            task = asyncio.create_task(pod.take(rate, seat))
            for _ in range(delay % 23):
                await asyncio.sleep(0)
            task.cancel()
            answer = (await asyncio.gather(task, return_exceptions=True))[0]
            if isinstance(answer, Granted):
                pod.store.settle(answer.reservation, Cost(0))
        await pod.take(requests("other"))
        await pod.store.flush()
        assert len(await pod.fill(rate, seat)) == 400


async def test_an_answer_that_comes_too_late_is_given_back(server: Server) -> None:
    async with pods(server.url, 1, command_timeout_s=0.3, replicas=1) as (pod,):
        (await pod.fill(requests("warm"))).clear()
        server.pause()
        try:
            refused = await pod.take(SLOW)
        finally:
            server.resume()
        assert isinstance(refused, Refused)
        await pod.until("exact")
        await pod.store.flush()
        assert len(await pod.fill(SLOW)) == 5


async def test_a_lost_script_cache_fails_no_request(server: Server) -> None:
    async with pods(server.url, 1) as (pod,):
        for _ in range(5):
            with server.client() as client:
                client.script_flush()
            assert isinstance(await pod.take(SLOW), Granted)


async def test_takes_of_one_moment_share_one_round_trip(server: Server) -> None:
    bucket = requests(burst=50)
    async with pods(server.url, 1) as (pod,):
        await pod.take(bucket)
        before = pod.store.round_trips()
        await asyncio.gather(*(pod.take(bucket) for _ in range(10)))
        assert pod.store.round_trips() - before <= 2


async def test_a_settlement_rides_along_with_the_next_take(server: Server) -> None:
    bucket = tokens(burst=6000)
    async with pods(server.url, 1, linger_s=5.0) as (pod,):
        await pod.take(bucket)
        before = pod.store.round_trips()
        for _ in range(20):
            granted = await pod.take(bucket, cost=Cost(1, 200))
            assert isinstance(granted, Granted)
            pod.store.settle(granted.reservation, Cost(1, 100))
        assert pod.store.round_trips() - before == 20


async def test_settlements_sent_again_after_a_lost_answer_count_once(server: Server) -> None:
    bucket = tokens(limit=1, burst=1000, per_s=1e6)
    async with pods(server.url, 1) as (pod,):
        granted = await pod.take(bucket, cost=Cost(1, 1000))
        assert isinstance(granted, Granted)
        pool = pod.store._pools["p"]
        call, lost = pool._call, []

        async def losing(keys, document):  # type: ignore[no-untyped-def]
            answer = await call(keys, document)
            if not lost:
                lost.append(answer)
                raise TypeError("the answer never came")
            return answer

        pool._call = losing
        await pod.settle(granted, Cost(1, 1100))
        assert lost
        refused = await pod.take(bucket, cost=Cost(1, 1))
        assert isinstance(refused, Refused)
        assert refused.ready_at - pod.clock.now() == pytest.approx(101e6, rel=0.001)


async def test_candidates_of_several_pools_are_asked_one_pool_after_the_other(
    server: Server,
) -> None:
    first, second = requests("x", burst=1, pool="p"), requests("x", burst=1, pool="q")
    async with pods(server.url, 1) as (pod,):
        chosen = set()
        for _ in range(2):
            answer = await pod.store.take([one(first, key="a"), one(second, key="b")], Cost())
            assert isinstance(answer, Granted)
            chosen.add(answer.index)
        assert chosen == {0, 1}


class TestLosing:
    """What the server forgets, the pods remember."""

    async def test_a_flush_gives_nothing_away(self, own_server: Server) -> None:
        async with pods(own_server.url, 2) as (here, there):
            await here.fill(SLOW)
            await there.fill(SLOW)
            with own_server.client() as client:
                client.flushall()
            assert await there.fill(SLOW) == []
            assert await here.fill(SLOW) == []

    async def test_a_restart_without_a_disk_gives_nothing_away(self, own_server: Server) -> None:
        async with pods(own_server.url, 2, command_timeout_s=1.0) as (here, there):
            await here.fill(SLOW)
            await there.fill(SLOW)
            own_server.stop()
            own_server.start()
            assert await there.fill(SLOW) == []
            await there.until("exact")
            assert await there.fill(SLOW) == []

    async def test_a_rollback_gives_nothing_away(self, own_server: Server) -> None:
        async with pods(own_server.url, 2) as (here, there):
            await there.take(SLOW)
            with own_server.client() as client:
                old = dump(own_server)
                await here.fill(SLOW)
                restore(client, old)
            assert await here.fill(SLOW) == []
            assert await there.fill(SLOW) == []

    async def test_seats_are_claimed_again_after_a_flush(self, own_server: Server) -> None:
        bucket = seats(limit=4)
        async with pods(own_server.url, 1) as (pod,):
            granted = await pod.fill(bucket)
            with own_server.client() as client:
                client.flushall()
            assert await pod.fill(bucket) == []
            await pod.settle(granted[0], Cost())
            assert len(await pod.fill(bucket)) == 1

    async def test_seats_of_pods_that_have_not_spoken_yet_stay_taken(
        self, own_server: Server
    ) -> None:
        bucket = seats(limit=4)
        async with pods(own_server.url, 2) as (here, there):
            await here.take(bucket)
            await there.fill(bucket)
            with own_server.client() as client:
                client.flushall()
            assert await there.fill(bucket) == []

    async def test_what_was_learned_of_seats_is_not_forgotten_for_good(
        self, own_server: Server
    ) -> None:
        bucket = seats(limit=500)
        async with pods(own_server.url, 1) as (pod,):
            await pod.take(bucket)
            pod.store.observe(bucket.id, Observation(limit=39))
            await pod.store.flush()
            with own_server.client() as client:
                client.flushall()
            assert len(await pod.fill(bucket)) == 38

    async def test_a_retry_after_survives_a_flush(self, own_server: Server) -> None:
        bucket = requests(burst=50)
        async with pods(own_server.url, 1) as (pod,):
            await pod.take(bucket)
            pod.store.observe(bucket.id, Observation(wait_s=30.0))
            await pod.store.flush()
            with own_server.client() as client:
                client.flushall()
            assert await pod.fill(bucket) == []

    async def test_a_clock_that_steps_back_frees_and_blocks_nothing(
        self, own_server: Server
    ) -> None:
        bucket = requests(limit=6000, burst=5)
        async with pods(own_server.url, 1) as (pod,):
            await pod.take(bucket)
            with own_server.client() as client:
                (key,) = client.keys("*:s")
                client.hset(key, "w", repr(float(client.hget(key, "w")) + 7200e6))
            assert isinstance(await pod.take(bucket), Granted)
            assert isinstance(await pod.take(bucket), Granted)

    async def test_old_keys_expire_by_themselves(self, own_server: Server) -> None:
        async with pods(own_server.url, 1) as (pod,):
            await pod.take(requests(), seats())
            with own_server.client() as client:
                assert all(0 < client.ttl(key) <= 10800 for key in client.keys("*"))

    async def test_no_key_material_and_no_prompt_reaches_the_server(
        self, own_server: Server
    ) -> None:
        async with pods(own_server.url, 1) as (pod,):
            await pod.store.take([one(requests(), key="alias-of-a-key")], Cost())
            with own_server.client() as client:
                (key,) = client.keys("*:s")
                assert "alias-of-a-key" not in str(client.hgetall(key))


def test_an_unknown_address_is_refused_with_what_is_known() -> None:
    async def nobody(connection: object) -> None:
        """Not reached."""

    with pytest.raises(ValueError, match=r"memcached:// is not known; expected one of redis://"):
        client_of("memcached://localhost", nobody)


def test_a_sentinel_address_names_its_service() -> None:
    async def nobody(connection: object) -> None:
        """Not reached."""

    with pytest.raises(ValueError, match="name the service"):
        client_of("redis+sentinel://localhost:26379", nobody)
