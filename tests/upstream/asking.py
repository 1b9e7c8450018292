"""How the tests of the transport ask: one request, answered byte by byte."""

from __future__ import annotations

import asyncio
import sys

import httpx
import pytest

from sidecar.upstream.transport import ProviderTransport

from .peers import Peer, Server

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
