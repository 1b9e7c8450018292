from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from sidecar.upstream import connection as connection_module
from sidecar.upstream.errors import Disconnected
from sidecar.upstream.transport import ProviderTransport

from .asking import OK, OPEN, ask, ask_again, linux_only, post
from .peers import TCP_REPAIR, Peer, Server


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
