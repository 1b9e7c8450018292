"""The board: several pods, one real Redis."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sidecar.core.clock import LoopClock
from sidecar.limits.board import Board, Name, Note
from sidecar.limits.board_redis import RedisWire
from sidecar.limits.redis import client_of
from tests.limits.servers import Server
from tests.support.topologies import Watched, cluster, sentinel

__all__ = ["cluster", "sentinel"]

KEY = ("deepseek", "key", "one")
HOUR_S = 3600.0
PATIENCE_S = 20.0
pytestmark = pytest.mark.redis


class PlainNames:
    """Names that carry their salt, so that a test can see it."""

    def __init__(self, salt: str) -> None:
        self.salt = salt

    def id_of(self, name: Name) -> str:
        return "/".join((self.salt[:4], *name))

    def name_of(self, note_id: str) -> Name | None:
        return tuple(note_id.split("/")[1:])


async def connected(connection: Any) -> None:
    await connection.on_connect()


class Pod:
    """One pod's board, and everything it heard."""

    def __init__(self, url: str, prefix: str, number: int, read_s: float) -> None:
        self.prefix = prefix
        self.loop = asyncio.get_running_loop()
        clock = LoopClock(self.loop)
        client: Any = client_of(url, connected)
        wire = RedisWire(client, prefix)
        self.board = Board(clock, wire, f"p{number}", random.Random(number), read_s=read_s)
        self.notes: dict[Name, Note] = {}
        self.losses = 0
        self._changed = asyncio.Event()

    def heard(self, name: Name, note: Note, now: float) -> None:
        self.notes[name] = note
        self._changed.set()

    def cleared(self, name: Name, now: float) -> None:
        self.notes.pop(name, None)
        self._changed.set()

    def lost(self, now: float) -> None:
        self.losses += 1
        self._changed.set()
        for name, note in self.notes.items():
            self.board.rest(name, note, anew=True)

    def rest(self, for_s: float = HOUR_S, cause: str = "credential", firm: bool = True) -> None:
        now = self.loop.time()
        self.board.rest(KEY, Note(cause, firm, 1, now, now + for_s))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def knows(self) -> Note:
        await self.until(lambda: KEY in self.notes)
        return self.notes[KEY]

    async def ready(self) -> None:
        """The board can be asked: it answers a claim."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if await self.board.claim(("breaker", "nobody"), 1.0) is not None:
                    return
                await asyncio.sleep(0)


@asynccontextmanager
async def pods(server: Server, count: int, read_s: float = 5.0) -> AsyncIterator[list[Pod]]:
    prefix = f"test-{uuid.uuid4()}"
    found = [Pod(server.url, prefix, number, read_s) for number in range(count)]
    try:
        for one in found:
            one.board.start(PlainNames, one)
        for one in found:
            await one.ready()
        yield found
    finally:
        for one in found:
            await one.board.aclose()


async def test_what_one_pod_finds_out_every_other_hears(server: Server) -> None:
    async with pods(server, 3) as (one, *others):
        one.rest()
        for other in others:
            note = await other.knows()
            assert (note.cause, note.firm) == ("credential", True)
            assert note.until - other.loop.time() == pytest.approx(HOUR_S, abs=5.0)


async def test_a_rest_is_only_ever_extended(server: Server) -> None:
    async with pods(server, 3) as (one, two, three):
        one.rest(HOUR_S)
        await two.knows()
        two.rest(10.0, "rate_limited", firm=False)
        await three.until(lambda: KEY in three.notes and three.notes[KEY].strikes == 1)
        await three.ready()
        note = three.notes[KEY]
        assert (note.cause, note.firm) == ("credential", True)
        assert note.until - three.loop.time() > HOUR_S / 2


async def test_one_good_attempt_brings_it_back_everywhere(server: Server) -> None:
    async with pods(server, 3) as (one, two, three):
        one.rest(0.0)
        await two.knows()
        await three.knows()
        two.board.clear(KEY, two.loop.time())
        await three.until(lambda: not three.notes)
        await one.until(lambda: not one.notes)


async def test_an_attempt_from_before_the_rest_says_nothing(server: Server) -> None:
    async with pods(server, 2) as (one, two):
        one.rest()
        await two.knows()
        two.board.clear(KEY, two.loop.time() - 3 * HOUR_S)
        await two.ready()
        assert await one.board.claim(KEY, 60.0) != 0.0


async def test_of_many_pods_one_may_probe(server: Server) -> None:
    async with pods(server, 8) as all_of_them:
        all_of_them[0].rest(0.0)
        for one in all_of_them[1:]:
            await one.knows()
        got = await asyncio.gather(*(one.board.claim(KEY, 60.0) for one in all_of_them))
        assert got.count(0.0) == 1


async def test_a_probe_that_proved_nothing_makes_room(server: Server) -> None:
    async with pods(server, 2) as (one, two):
        one.rest(0.0)
        await two.knows()
        assert await one.board.claim(KEY, 60.0) == 0.0
        await two.until(lambda: two.notes[KEY].probing_until > two.loop.time())
        one.board.release(KEY)
        await two.until(lambda: two.notes[KEY].probing_until <= two.loop.time())
        assert await two.board.claim(KEY, 60.0) == 0.0


async def test_who_still_rests_is_not_probed(server: Server) -> None:
    async with pods(server, 2) as (one, two):
        one.rest()
        await two.knows()
        wait = await two.board.claim(KEY, 60.0)
        assert wait is not None
        assert wait > HOUR_S / 2


async def test_a_pod_that_starts_later_knows_what_rests(server: Server) -> None:
    prefix = f"test-{uuid.uuid4()}"
    one = Pod(server.url, prefix, 1, 5.0)
    one.board.start(PlainNames, one)
    await one.ready()
    one.rest()
    await one.ready()
    late = Pod(server.url, prefix, 2, 5.0)
    late.board.start(PlainNames, late)
    await late.knows()
    await one.board.aclose()
    await late.board.aclose()


async def test_a_board_that_lost_everything_is_told_again(own_server: Server) -> None:
    async with pods(own_server, 3, read_s=0.1) as (one, two, three):
        one.rest()
        await two.knows()
        with own_server.client() as client:
            client.flushall()
        await two.until(lambda: two.losses > 0)
        late = Pod(own_server.url, three.prefix, 9, 5.0)
        late.board.start(PlainNames, late)
        await late.knows()
        await late.board.aclose()


async def test_without_the_board_nobody_waits_for_it(own_server: Server) -> None:
    async with pods(own_server, 1) as (one,):
        own_server.stop()
        assert await one.board.claim(KEY, 60.0) is None
        one.rest()
        own_server.start()
        await one.ready()
        two = Pod(own_server.url, one.prefix, 2, 5.0)
        two.board.start(PlainNames, two)
        await two.knows()
        await two.board.aclose()


async def test_a_board_ends_whatever_it_is_at(server: Server) -> None:
    """Redis-py sends by `wait_for`, which loses a cancellation that comes with its result (before
    Python 3.12): each round closes the board one turn of the loop later in its call."""
    for turns in range(10):
        async with asyncio.timeout(PATIENCE_S):
            async with pods(server, 1) as (one,):
                one.rest()
                for _ in range(turns):
                    await asyncio.sleep(0)


async def test_the_living_pods_are_counted(server: Server) -> None:
    async with pods(server, 3, read_s=0.1) as found:
        async with asyncio.timeout(PATIENCE_S):
            while any(one.board.pods != 3 for one in found):
                await found[0].ready()


async def test_on_a_cluster_too_every_pod_hears(cluster: list[Server]) -> None:
    url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in cluster)
    await heard_at(url)


async def test_behind_sentinel_too_every_pod_hears(sentinel: Watched) -> None:
    await heard_at(sentinel.url)


async def heard_at(url: str) -> None:
    found = [Pod(url, f"test-{uuid.uuid4()}", number, 5.0) for number in (1,)]
    found.append(Pod(url, found[0].prefix, 2, 5.0))
    for one in found:
        one.board.start(PlainNames, one)
        await one.ready()
    found[0].rest()
    await found[1].knows()
    for one in found:
        await one.board.aclose()
