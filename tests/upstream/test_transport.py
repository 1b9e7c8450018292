from __future__ import annotations

import asyncio
import socket
import ssl
import sys

import httpx
import pytest

from sidecar.upstream import connection as connection_module
from sidecar.upstream.errors import Disconnected
from sidecar.upstream.limits import WireLimits
from sidecar.upstream.transport import ProviderTransport

from .peers import TCP_REPAIR, Peer, Server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OPEN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's count of acks")


def post(server: Server, content: bytes = b"{}", **timeouts: float) -> httpx.Request:
    extensions = {"timeout": timeouts}
    return httpx.Request("POST", server.url, content=content, extensions=extensions)


async def ask(
    transport: ProviderTransport, server: Server, raw: bytes
) -> tuple[httpx.Response, Peer]:
    """One request on a new connection, answered by `raw`."""
    asking = asyncio.ensure_future(transport.handle_async_request(post(server)))
    peer = await server.peer()
    await peer.request()
    await peer.send(raw)
    return await asking, peer


async def ask_again(transport: ProviderTransport, server: Server, peer: Peer) -> httpx.Response:
    """One more request, on the connection that `peer` holds."""
    asking = asyncio.ensure_future(transport.handle_async_request(post(server)))
    await peer.request()
    await peer.send(OK)
    return await asking


async def test_a_request_arrives_as_it_was_meant(
    transport: ProviderTransport, server: Server
) -> None:
    url = f"{server.url}?alt=sse"
    request = httpx.Request("POST", url, headers={"X-Key": "k"}, content=b'{"a":1}')
    asking = asyncio.ensure_future(transport.handle_async_request(request))
    peer = await server.peer()
    raw = await peer.request()
    await peer.send(OK)
    response = await asking
    assert raw.startswith(b"POST /v1/chat?alt=sse HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nX-Key: k\r\n" in raw
    assert raw.endswith(b'\r\nContent-Length: 7\r\n\r\n{"a":1}')
    assert (response.status_code, await response.aread()) == (200, b"ok")


async def test_a_large_request_arrives_whole(transport: ProviderTransport, server: Server) -> None:
    content = bytes(range(256)) * 20_000
    asking = asyncio.ensure_future(transport.handle_async_request(post(server, content)))
    peer = await server.peer()
    raw = await peer.request()
    await peer.send(OK)
    await asking
    assert raw.partition(b"\r\n\r\n")[2] == content


async def test_a_streamed_request_is_gathered(transport: ProviderTransport, server: Server) -> None:
    async def parts():  # type: ignore[no-untyped-def]
        yield b"one"
        yield b"two"

    request = httpx.Request("POST", server.url, content=parts())
    asking = asyncio.ensure_future(transport.handle_async_request(request))
    peer = await server.peer()
    raw = await peer.request()
    await peer.send(OK)
    await asking
    assert raw.endswith(b"\r\nContent-Length: 6\r\n\r\nonetwo")
    assert b"Transfer-Encoding" not in raw


async def test_the_response_is_there_at_its_headers(
    transport: ProviderTransport, server: Server
) -> None:
    head = b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\n"
    response, peer = await ask(transport, server, head)
    await peer.send(b"later")
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    assert await response.aread() == b"later"


async def test_a_response_sent_byte_by_byte_is_read(
    transport: ProviderTransport, server: Server
) -> None:
    asking = asyncio.ensure_future(transport.handle_async_request(post(server)))
    peer = await server.peer()
    await peer.request()
    for i in range(len(OPEN)):
        await peer.send(OPEN[i : i + 1])
        await asyncio.sleep(0)
    response = await asking
    await peer.send(b"0\r\n\r\n")
    assert await response.aread() == b"hello"


async def test_what_arrived_since_the_last_read_is_one_piece(
    transport: ProviderTransport, server: Server
) -> None:
    response, peer = await ask(transport, server, OPEN + b"6\r\n world\r\n1\r\n!\r\n")
    pieces = aiter(response.stream)  # type: ignore[arg-type]
    assert await anext(pieces) == b"hello world!"
    await peer.send(b"3\r\nbye\r\n0\r\n\r\n")
    assert [piece async for piece in pieces] == [b"bye"]


async def test_a_read_response_gives_its_connection_back(
    transport: ProviderTransport, server: Server
) -> None:
    response, peer = await ask(transport, server, OK)
    await response.aread()
    again = await ask_again(transport, server, peer)
    assert await again.aread() == b"ok"
    assert not server.has_another()


async def test_a_whole_response_gives_its_connection_back_before_it_is_read(
    transport: ProviderTransport, server: Server
) -> None:
    first, peer = await ask(transport, server, OK)
    again = await ask_again(transport, server, peer)
    assert (await first.aread(), await again.aread()) == (b"ok", b"ok")


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"surplus",
    ],
)
async def test_a_connection_that_cannot_be_reused_is_closed(
    transport: ProviderTransport, server: Server, raw: bytes
) -> None:
    response, peer = await ask(transport, server, raw)
    assert await response.aread() == b"ok"
    await peer.wait_gone()


async def test_an_idle_connection_that_the_provider_closed_is_never_reused(
    transport: ProviderTransport, server: Server
) -> None:
    response, peer = await ask(transport, server, OK)
    await response.aread()
    peer.close()  # the loop does not turn before the next request looks for a connection
    response, _ = await ask(transport, server, OK)
    assert await response.aread() == b"ok"


async def test_an_idle_connection_with_bytes_nobody_asked_for_is_never_reused(
    transport: ProviderTransport, server: Server
) -> None:
    response, peer = await ask(transport, server, OK)
    await response.aread()
    peer.sock.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    response, _ = await ask(transport, server, OK)
    assert (response.status_code, await response.aread()) == (200, b"ok")


async def test_bytes_nobody_asked_for_close_an_idle_connection(
    transport: ProviderTransport, server: Server
) -> None:
    response, peer = await ask(transport, server, OK)
    await response.aread()
    await peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    await peer.wait_gone()


@linux_only
async def test_a_request_that_met_a_closing_connection_is_sent_again(
    transport: ProviderTransport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race itself: the provider closes after we looked and before we wrote."""
    response, peer = await ask(transport, server, OK)
    await response.aread()
    real = connection_module._bytes_acked

    def close_after_the_look(sock: socket.socket) -> int | None:
        acked = real(sock)
        peer.close()
        return acked

    monkeypatch.setattr(connection_module, "_bytes_acked", close_after_the_look)
    response, second = await ask(transport, server, OK)
    assert second is not peer
    assert await response.aread() == b"ok"


@linux_only
async def test_a_reset_is_no_proof_and_the_request_is_not_sent_again(
    transport: ProviderTransport, server: Server
) -> None:
    """A NAT that forgot the connection, and a provider that crashed, look alike."""
    response, peer = await ask(transport, server, OK)
    await response.aread()
    try:
        peer.sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    except PermissionError:
        pytest.skip("closing without a word needs CAP_NET_ADMIN")
    peer.close()
    with pytest.raises(httpx.ReadError):
        await transport.handle_async_request(post(server))
    assert not server.has_another()


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
async def test_a_request_that_the_provider_may_have_seen_is_not_sent_again(
    transport: ProviderTransport, server: Server, end: object
) -> None:
    response, peer = await ask(transport, server, OK)
    await response.aread()
    asking = asyncio.ensure_future(transport.handle_async_request(post(server)))
    await peer.request()
    end(peer)  # type: ignore[operator]
    with pytest.raises((Disconnected, httpx.ReadError)):
        await asking
    assert not server.has_another()


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
async def test_a_request_on_a_new_connection_is_never_sent_again(
    transport: ProviderTransport, server: Server, end: object
) -> None:
    asking = asyncio.ensure_future(transport.handle_async_request(post(server)))
    end(await server.peer())  # type: ignore[operator]
    with pytest.raises((Disconnected, httpx.ReadError)):
        await asking
    assert not server.has_another()


async def test_a_cut_inside_a_chunked_body_is_told_from_its_end(
    transport: ProviderTransport, server: Server
) -> None:
    response, peer = await ask(transport, server, OPEN)
    pieces = aiter(response.stream)  # type: ignore[arg-type]
    assert await anext(pieces) == b"hello"
    peer.close()
    with pytest.raises(httpx.RemoteProtocolError):
        await anext(pieces)


async def test_what_came_before_a_cut_is_read_before_the_cut_is_told(
    transport: ProviderTransport, server: Server
) -> None:
    response, peer = await ask(transport, server, OPEN)
    peer.close()
    for _ in range(10):
        await asyncio.sleep(0)
    pieces = aiter(response.stream)  # type: ignore[arg-type]
    assert await anext(pieces) == b"hello"
    with pytest.raises(httpx.RemoteProtocolError):
        await anext(pieces)


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
    assert largest <= 64 * 1024 + 256 * 1024  # the high-water mark and one read of the socket
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
