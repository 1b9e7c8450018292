"""The pool's line to the store, with a store that answers, stays silent, or talks nonsense."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sidecar.limits.bucket import Cost
from sidecar.limits.pool import StoreAway
from sidecar.limits.store import Granted, Refused
from sidecar.testing.virtual import VirtualLoop
from tests.limits.fleet import Fleet, in_virtual_time
from tests.limits.meters import one, requests, seats
from tests.limits.servers import Server

pytestmark = pytest.mark.redis

KEY = one(requests(limit=600, burst=20), seats(limit=20))


def alone(
    server: Server, play: Callable[[Fleet], Awaitable[None]], pods: int = 1, **settings: Any
) -> None:
    async def run(loop: VirtualLoop) -> None:
        with server.client() as client:
            fleet = Fleet(loop, client, pods, [KEY], **settings)
            await play(fleet)
            fleet.network.cut = False
            await fleet.close()

    in_virtual_time(run)


async def take(fleet: Fleet) -> Granted | Refused:
    return await fleet.stores[0].take([KEY], Cost())


def test_a_decision_never_waits_longer_than_twice_its_timeout(server: Server) -> None:
    async def silent(fleet: Fleet) -> None:
        async def never(keys: object, document: bytes) -> list[object]:
            await asyncio.sleep(1.0)
            raise StoreAway("silence")

        fleet.network.call = never  # type: ignore[method-assign, assignment]
        fleet.stores[0]._call = never
        began = fleet.clock.now()
        await take(fleet)
        assert fleet.clock.now() - began <= 0.1001

    alone(server, silent)


def test_once_the_store_is_known_to_be_away_a_decision_takes_no_time(server: Server) -> None:
    async def away(fleet: Fleet) -> None:
        fleet.network.cut = True
        await take(fleet)
        began = fleet.clock.now()
        await take(fleet)
        assert fleet.clock.now() == began

    alone(server, away)


def test_closed_means_that_nothing_leaves_without_the_store(server: Server) -> None:
    async def away(fleet: Fleet) -> None:
        fleet.network.cut = True
        assert isinstance(await take(fleet), Refused)
        await asyncio.sleep(30.0)
        assert isinstance(await take(fleet), Refused)

    alone(server, away, on_loss="closed")


def test_open_means_that_every_pod_has_the_whole_limit(server: Server) -> None:
    async def away(fleet: Fleet) -> None:
        fleet.network.cut = True
        assert isinstance(await take(fleet), Granted)

    alone(server, away, on_loss="open")


def test_seats_taken_alone_are_claimed_when_the_store_is_back(server: Server) -> None:
    async def back(fleet: Fleet) -> None:
        await take(fleet)
        fleet.network.cut = True
        await take(fleet)
        await asyncio.sleep(5.0)
        assert isinstance(await take(fleet), Granted)
        fleet.network.cut = False
        await asyncio.sleep(1.0)
        await fleet.stores[0].flush()
        state = next(one for one in fleet.stores[0].snapshot() if one.bucket == KEY.buckets[1])
        assert (state.mode, state.free_now) == ("exact", 18)

    alone(server, back, replicas=1)


def test_seats_given_back_while_the_store_is_away_are_given_back_when_it_returns(
    server: Server,
) -> None:
    async def back(fleet: Fleet) -> None:
        granted = await take(fleet)
        assert isinstance(granted, Granted)
        fleet.network.cut = True
        await take(fleet)
        fleet.stores[0].settle(granted.reservation, Cost())
        fleet.network.cut = False
        await asyncio.sleep(2.0)
        await fleet.stores[0].flush()
        state = next(one for one in fleet.stores[0].snapshot() if one.bucket == KEY.buckets[1])
        assert state.free_now == 20

    alone(server, back)


def test_the_snapshot_shows_the_mode_and_the_share(server: Server) -> None:
    async def away(fleet: Fleet) -> None:
        await take(fleet)
        fleet.network.cut = True
        await asyncio.sleep(0.0)
        await take(fleet)
        assert {(one.mode, one.share) for one in fleet.stores[0].snapshot()} == {("share", 0.25)}

    alone(server, away, replicas=4)


def test_an_answer_that_is_nonsense_is_no_answer(server: Server) -> None:
    async def nonsense(fleet: Fleet) -> None:
        async def babble(keys: object, document: bytes) -> list[object]:
            return [b"PONG"]

        fleet.stores[0]._call = babble
        assert isinstance(await take(fleet), Refused)
        assert fleet.stores[0].modes() == {"p": "share"}

    alone(server, nonsense)


def test_one_slow_answer_to_many_is_not_an_outage(server: Server) -> None:
    async def slow_once(fleet: Fleet) -> None:
        call = fleet.network.call

        async def slow(keys: Any, document: bytes) -> Any:
            fleet.stores[0]._pools["p"]._call = call
            await asyncio.sleep(0.06)
            return await call(keys, document)

        await take(fleet)
        fleet.stores[0]._pools["p"]._call = slow
        answers = await asyncio.gather(*(take(fleet) for _ in range(10)))
        assert all(isinstance(answer, Granted) for answer in answers)
        assert fleet.stores[0].modes() == {"p": "exact"}

    alone(server, slow_once)


def test_an_idle_pod_says_nothing(server: Server) -> None:
    async def idle(fleet: Fleet) -> None:
        granted = await take(fleet)
        assert isinstance(granted, Granted)
        fleet.stores[0].settle(granted.reservation, Cost())
        await fleet.stores[0].flush()
        before = fleet.round_trips
        await asyncio.sleep(3600.0)
        assert fleet.round_trips == before

    alone(server, idle)


def test_newcomers_are_counted_with_the_next_call(server: Server) -> None:
    async def counted(fleet: Fleet) -> None:
        for store in fleet.stores:
            await store.take([KEY], Cost())
        first = fleet.stores[0]
        assert first._pools["p"].fleet.pods == 1
        await first.take([KEY], Cost())
        assert first._pools["p"].fleet.pods == 3
        await asyncio.sleep(1.0)
        assert first._pools["p"].fleet.rank >= 0

    alone(server, counted, pods=3)


def test_a_pod_that_holds_a_seat_is_counted_as_alive(server: Server) -> None:
    async def counted(fleet: Fleet) -> None:
        for store in fleet.stores:
            await store.take([KEY], Cost())
        await asyncio.sleep(60.0)
        assert {store._pools["p"].fleet.pods for store in fleet.stores} == {3}
        assert sorted(store._pools["p"].fleet.rank for store in fleet.stores) == [0, 1, 2]

    alone(server, counted, pods=3)
