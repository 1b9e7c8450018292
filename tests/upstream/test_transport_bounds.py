"""Giving up, back-pressure, and the bounds of the pool."""

from __future__ import annotations

import asyncio
import ssl

import httpx
import pytest

from sidecar.upstream.limits import WireLimits
from sidecar.upstream.transport import ProviderTransport

from .asking import OK, OPEN, ask, ask_again, post
from .conftest import SMALL
from .peers import Server


async def test_closing_an_unread_response_closes_the_providers_socket(
    transport: ProviderTransport, server: Server
) -> None:
    response, peer = await ask(transport, server, OPEN)
    await response.aclose()
    await peer.wait_gone()


async def test_a_reader_that_waits_is_woken_when_its_response_is_closed(
    transport: ProviderTransport, server: Server
) -> None:
    response, _ = await ask(transport, server, OPEN)
    pieces = aiter(response.stream)  # type: ignore[arg-type]
    await anext(pieces)
    reading = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0)
    await response.aclose()
    with pytest.raises(httpx.ReadError):
        await reading


async def test_a_cancelled_request_closes_the_providers_socket(
    transport: ProviderTransport, server: Server
) -> None:
    asking = asyncio.ensure_future(transport.handle_async_request(post(server)))
    peer = await server.peer()
    await peer.request()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await peer.wait_gone()


async def test_reading_stops_while_too_much_is_unread(
    transport: ProviderTransport, server: Server
) -> None:
    size = 8 * 1024 * 1024
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    response, peer = await ask(transport, server, head)
    sending = asyncio.ensure_future(peer.send(b"x" * size))
    pieces = aiter(response.stream)  # type: ignore[arg-type]
    largest = total = 0
    while total < size:
        for _ in range(100):  # far more turns than it takes to fill every buffer
            await asyncio.sleep(0)
        piece = await anext(pieces)
        largest, total = max(largest, len(piece)), total + len(piece)
    await sending
    assert largest == SMALL.read_bytes
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


async def test_a_connection_paused_by_its_last_read_serves_the_next_request(
    transport: ProviderTransport, server: Server
) -> None:
    body = b"x" * 300_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"
    first, peer = await ask(transport, server, head + body)
    assert await first.aread() == body
    assert await (await ask_again(transport, server, peer)).aread() == b"ok"


async def test_the_answer_to_head_is_its_headers(
    transport: ProviderTransport, server: Server
) -> None:
    request = httpx.Request("HEAD", server.url)
    asking = asyncio.ensure_future(transport.handle_async_request(request))
    peer = await server.peer()
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
    assert await (await asking).aread() == b""


async def test_a_connection_is_refused_as_httpx_says(
    transport: ProviderTransport, server: Server
) -> None:
    server.__exit__(None, None, None)
    with pytest.raises(httpx.ConnectError):
        await transport.handle_async_request(post(server))


async def test_a_read_timeout_is_obeyed_where_one_is_given(
    transport: ProviderTransport, server: Server
) -> None:
    asking = asyncio.ensure_future(transport.handle_async_request(post(server, read=0.01)))
    peer = await server.peer()
    await peer.request()
    with pytest.raises(httpx.ReadTimeout):
        await asking
    await peer.wait_gone()


async def test_closing_the_transport_closes_idle_and_busy_connections(
    transport: ProviderTransport, server: Server
) -> None:
    _, idle = await ask(transport, server, OK)
    busy = asyncio.ensure_future(transport.handle_async_request(post(server)))
    await idle.request()
    await transport.aclose()
    with pytest.raises(httpx.TransportError):
        await busy
    await idle.wait_gone()


async def test_a_closed_transport_opens_nothing(
    transport: ProviderTransport, server: Server
) -> None:
    await transport.aclose()
    with pytest.raises(httpx.PoolTimeout):
        await transport.handle_async_request(post(server))


async def test_an_idle_connection_expires(trust: ssl.SSLContext, server: Server) -> None:
    transport = ProviderTransport(trust, WireLimits(idle_expiry_s=0.0))
    response, peer = await ask(transport, server, OK)
    await response.aread()
    await peer.wait_gone()
    await transport.aclose()


async def test_more_idle_connections_than_wanted_are_closed(
    trust: ssl.SSLContext, server: Server
) -> None:
    transport = ProviderTransport(trust, WireLimits(idle_per_origin=1))
    asking = [asyncio.ensure_future(transport.handle_async_request(post(server))) for _ in range(2)]
    peers = [await server.peer() for _ in range(2)]
    for peer in peers:
        await peer.request()
        await peer.send(OK)
    await asyncio.gather(*asking)
    gone = [asyncio.ensure_future(peer.wait_gone()) for peer in peers]
    done, pending = await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(pending)) == (1, 1)
    await transport.aclose()
    await asyncio.gather(*gone)


async def test_an_origin_has_only_so_many_connections(
    trust: ssl.SSLContext, server: Server
) -> None:
    transport = ProviderTransport(trust, WireLimits(connections_per_origin=1))
    response, _ = await ask(transport, server, OPEN)
    with pytest.raises(httpx.PoolTimeout):
        await transport.handle_async_request(post(server))
    await response.aclose()
    await transport.aclose()


async def test_httpx_can_drive_it(transport: ProviderTransport, server: Server) -> None:
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        asking = asyncio.ensure_future(client.post(server.url, json={"a": 1}))
        peer = await server.peer()
        raw = await peer.request()
        await peer.send(OK)
        response = await asking
    assert raw.endswith(b'{"a":1}')
    assert response.text == "ok"
