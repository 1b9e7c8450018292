"""The same bytes through the stock transport and ours: one outcome, wherever httpx has one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import httpx
import pytest

from sidecar.upstream.transport import ProviderTransport

from .peers import Peer, Server

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

CASES: dict[str, bytes] = {
    "content-length": HEAD + b"Content-Length: 5\r\n\r\nhello",
    "chunked": CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    "chunk extensions and trailers": CHUNKED + b"5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
    "until close": HEAD + b"\r\nhello",
    "HTTP/1.0 until close": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "empty body": HEAD + b"Content-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "informational first": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    + HEAD
    + b"Content-Length: 5\r\n\r\nhello",
    "an error status": b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy",
    "a redirect stays one": b"HTTP/1.1 307 X\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",
    "repeated headers": HEAD + b"X: 1\r\nX: 2\r\nContent-Length: 0\r\n\r\n",
    "latin-1 in a header": HEAD + b"X: caf\xe9\r\nContent-Length: 0\r\n\r\n",
    "no reason phrase": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
    "cut in the length": HEAD + b"Content-Length: 50\r\n\r\nhello",
    "cut in a chunk": CHUNKED + b"50\r\nhello",
    "cut between chunks": CHUNKED + b"5\r\nhello\r\n",
    "cut in the last chunk": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "cut in the head": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "no response": b"",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a chunk size that is none": CHUNKED + b"xyz\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
}


def stock(trust: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(verify=trust, trust_env=False)


async def play(peer: Peer, raw: bytes) -> None:
    await peer.request()
    await peer.send(raw)
    peer.close()


async def outcome_of(transport: httpx.AsyncBaseTransport, server: Server, raw: bytes) -> object:
    """What a user of httpx sees: status, headers and body, or an exception and where it came."""
    request = httpx.Request("POST", server.url, content=b"{}")
    playing = asyncio.ensure_future(_accept_and_play(server, raw))
    try:
        response = await transport.handle_async_request(request)
    except httpx.TransportError as exc:
        return "open", _public_class(exc)
    finally:
        await playing
    try:
        body = await response.aread()
    except httpx.TransportError as exc:
        return "body", response.status_code, _public_class(exc)
    return response.status_code, sorted(response.headers.multi_items()), body


async def _accept_and_play(server: Server, raw: bytes) -> None:
    await play(await server.peer(), raw)


def _public_class(exc: Exception) -> type:
    return next(cls for cls in type(exc).__mro__ if cls.__module__.startswith("httpx"))


@pytest.mark.parametrize("case", CASES)
async def test_ours_and_the_stock_transport_see_the_same(
    trust: ssl.SSLContext, server: Server, case: str
) -> None:
    outcomes = []
    makers: list[Callable[[ssl.SSLContext], httpx.AsyncBaseTransport]] = [stock, ProviderTransport]
    for make in makers:
        transport = make(trust)
        outcomes.append(await outcome_of(transport, server, CASES[case]))
        await transport.aclose()
    assert outcomes[0] == outcomes[1]
