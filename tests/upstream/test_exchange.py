from __future__ import annotations

import asyncio

import httpx
import pytest

from sidecar.upstream.exchange import Exchange
from sidecar.upstream.limits import WireLimits
from sidecar.upstream.reading import Failure

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


class Notebook:
    """A wire that notes what it is asked to do."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def pause(self) -> None:
        self.notes.append("pause")

    def resume(self) -> None:
        self.notes.append("resume")

    def abort(self) -> None:
        self.notes.append("abort")


def exchange_on(wire: Notebook, high_water_bytes: int = 100) -> Exchange:
    return Exchange(wire, WireLimits(high_water_bytes=high_water_bytes), expects_body=True)


async def test_the_wire_is_paused_above_the_mark_and_resumed_by_a_read() -> None:
    wire = Notebook()
    exchange = exchange_on(wire)
    exchange.receive(HEAD % 1000)
    exchange.receive(b"x" * 60)
    assert wire.notes == ["pause"]
    exchange.receive(b"x" * 60)
    assert await anext(exchange) == b"x" * 120
    assert wire.notes == ["pause", "resume"]


async def test_a_wire_that_is_free_again_is_never_left_paused() -> None:
    wire = Notebook()
    exchange = exchange_on(wire)
    exchange.receive(HEAD % 200 + b"x" * 150)
    exchange.receive(b"x" * 50)
    assert wire.notes == ["pause", "resume"]
    await anext(exchange)
    assert wire.notes == ["pause", "resume"]


async def test_a_read_takes_all_that_came_and_waits_only_for_the_first_byte() -> None:
    exchange = exchange_on(Notebook())
    exchange.receive(HEAD % 9)
    reading = asyncio.ensure_future(anext(exchange))
    await asyncio.sleep(0)
    exchange.receive(b"one")
    exchange.receive(b"two")
    assert await reading == b"onetwo"


async def test_a_read_takes_only_so_much_at_once_and_loses_nothing() -> None:
    wire = Notebook()
    limits = WireLimits(high_water_bytes=100, read_bytes=64)
    exchange = Exchange(wire, limits, expects_body=True)
    body = bytes(range(250))
    exchange.receive(HEAD % 250)
    for start in range(0, 250, 50):
        exchange.receive(body[start : start + 50])
    assert wire.notes == ["pause", "resume"]  # it came whole: the connection is free
    pieces = [piece async for piece in exchange]
    assert [len(piece) for piece in pieces] == [64, 64, 64, 58]
    assert b"".join(pieces) == body


async def test_the_wire_flows_again_once_little_enough_is_unread() -> None:
    wire = Notebook()
    limits = WireLimits(high_water_bytes=100, read_bytes=64)
    exchange = Exchange(wire, limits, expects_body=True)
    exchange.receive(HEAD % 1000)
    exchange.receive(b"x" * 180)
    await anext(exchange)
    assert wire.notes == ["pause"]
    await anext(exchange)
    assert wire.notes == ["pause", "resume"]


async def test_the_head_is_waited_for() -> None:
    exchange = exchange_on(Notebook())
    waiting = asyncio.ensure_future(exchange.wait_head())
    exchange.receive((HEAD % 2)[:20])
    await asyncio.sleep(0)
    assert not waiting.done()
    exchange.receive((HEAD % 2)[20:])
    await waiting
    assert exchange.reader.status == 200


async def test_the_head_holds_though_the_body_has_failed_already() -> None:
    exchange = exchange_on(Notebook())
    exchange.receive(HEAD % 9 + b"one")
    exchange.end(None)
    await exchange.wait_head()
    assert await anext(exchange) == b"one"
    with pytest.raises(httpx.RemoteProtocolError):
        await anext(exchange)


async def test_the_first_failure_is_the_one_that_is_told() -> None:
    exchange = exchange_on(Notebook())
    exchange.fail(Failure(httpx.ReadError, "first"))
    exchange.fail(Failure(httpx.WriteError, "second"))
    exchange.end(None)
    with pytest.raises(httpx.ReadError, match="first"):
        await exchange.wait_head()


async def test_abort_closes_the_wire_once() -> None:
    wire = Notebook()
    exchange = exchange_on(wire)
    exchange.receive(HEAD % 9)
    exchange.abort()
    exchange.abort()
    await exchange.aclose()
    assert wire.notes == ["abort"]


async def test_abort_of_a_whole_response_leaves_the_wire_alone() -> None:
    wire = Notebook()
    exchange = exchange_on(wire)
    exchange.receive(HEAD % 3 + b"one")
    exchange.abort()
    assert wire.notes == []


async def test_a_cancelled_reader_leaves_the_bytes_for_the_next() -> None:
    exchange = exchange_on(Notebook())
    exchange.receive(HEAD % 3)
    reading = asyncio.ensure_future(anext(exchange))
    await asyncio.sleep(0)
    exchange.receive(b"one")
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await anext(exchange) == b"one"
