from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import Any

import httpx
import pytest

from sidecar.upstream import connection, dial
from sidecar.upstream.transport import ProviderTransport
from sidecar.upstream.wire import Origin

from .conftest import SMALL
from .peers import Peer, Server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def cause(exc: BaseException) -> BaseException | None:
    return exc.__cause__


async def get(transport: ProviderTransport, url: str, **timeouts: float) -> httpx.Response:
    request = httpx.Request("GET", url, extensions={"timeout": timeouts})
    return await transport.handle_async_request(request)


async def test_a_host_name_is_looked_up(transport: ProviderTransport, server: Server) -> None:
    asking = asyncio.ensure_future(get(transport, f"http://localhost:{server.port}/"))
    peer = await server.peer()
    assert b"\r\nHost: localhost:" in await peer.request()
    await peer.send(OK)
    assert (await asking).status_code == 200


async def test_a_host_that_has_no_address_is_told_by_its_cause(
    transport: ProviderTransport,
) -> None:
    with pytest.raises(httpx.ConnectError) as caught:
        await get(transport, "http://no-such-host.invalid/")
    assert isinstance(cause(caught.value), socket.gaierror)


async def test_a_refused_connection_is_told_by_its_cause(
    transport: ProviderTransport, server: Server
) -> None:
    server.__exit__(None, None, None)
    with pytest.raises(httpx.ConnectError) as caught:
        await get(transport, server.url)
    assert getattr(cause(caught.value), "errno", None) == errno.ECONNREFUSED


async def test_an_ipv6_literal_is_an_address(transport: ProviderTransport) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback")
    listener.setblocking(False)
    with listener:
        asking = asyncio.ensure_future(get(transport, f"http://[::1]:{listener.getsockname()[1]}/"))
        sock, _ = await asyncio.get_running_loop().sock_accept(listener)
        peer = Peer(sock)
        assert b"\r\nHost: [::1]:" in await peer.request()
        await peer.send(OK)
        assert (await asking).status_code == 200
        peer.close()


async def test_the_next_address_is_tried_when_the_first_refuses(
    transport: ProviderTransport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def two_addresses(origin: Origin) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, ("127.0.0.2", origin.port)), (*kind, ("127.0.0.1", origin.port))]

    monkeypatch.setattr(dial, "_resolve", two_addresses)
    asking = asyncio.ensure_future(get(transport, f"http://two.example:{server.port}/"))
    peer = await server.peer()
    await peer.request()
    await peer.send(OK)
    assert (await asking).status_code == 200


async def test_the_kernel_keeps_only_so_much_of_an_answer(
    transport: ProviderTransport, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sockets: list[socket.socket] = []
    connect = dial._connect

    async def noted(*args: Any) -> socket.socket:
        sockets.append(await connect(*args))
        return sockets[0]

    monkeypatch.setattr(dial, "_connect", noted)
    asking = asyncio.ensure_future(get(transport, server.url))
    peer = await server.peer()
    await peer.request()
    await peer.send(OK)
    await asking
    kept = sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    # Linux takes as much again for its own book-keeping.
    assert kept in (SMALL.kernel_bytes, 2 * SMALL.kernel_bytes)


async def test_a_peer_that_never_answers_the_tls_hello_times_out(
    transport: ProviderTransport, server: Server
) -> None:
    asking = asyncio.ensure_future(
        get(transport, f"https://127.0.0.1:{server.port}/", connect=0.02)
    )
    peer = await server.peer()
    with pytest.raises(httpx.ConnectTimeout):
        await asking
    await peer.wait_gone()


async def test_a_peer_that_speaks_no_tls_is_told_by_its_cause(
    transport: ProviderTransport, server: Server
) -> None:
    asking = asyncio.ensure_future(get(transport, f"https://127.0.0.1:{server.port}/"))
    peer = await server.peer()
    await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(httpx.ConnectError) as caught:
        await asking
    assert isinstance(cause(caught.value), ssl.SSLError)


async def test_a_request_cancelled_while_it_connects_leaves_no_socket(
    transport: ProviderTransport, server: Server
) -> None:
    asking = asyncio.ensure_future(get(transport, f"https://127.0.0.1:{server.port}/"))
    peer = await server.peer()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await peer.wait_gone()


async def test_small_writes_are_not_held_back_and_dead_peers_are_probed(
    transport: ProviderTransport, server: Server
) -> None:
    asking = asyncio.ensure_future(get(transport, server.url))
    peer = await server.peer()
    await peer.request()
    await peer.send(OK)
    await asking
    (sock,) = [one._sock for peers in transport._pool._open.values() for one in peers]
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


async def test_a_request_cancelled_as_its_connection_stands_is_waited_for_by_nobody(
    trust: ssl.SSLContext, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three hundred callers who hung up at any moment left a daemon that never ended."""
    made = connection.Connection.connection_made

    def made_and_cancelled(self: connection.Connection, way: asyncio.BaseTransport) -> None:
        made(self, way)
        asking.cancel()

    monkeypatch.setattr(connection.Connection, "connection_made", made_and_cancelled)
    transport = ProviderTransport(trust, SMALL)
    asking = asyncio.ensure_future(get(transport, server.url))
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(20):
        await transport.aclose()
