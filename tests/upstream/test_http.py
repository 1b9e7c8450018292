from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from sidecar.upstream.failure import Kind, TransportFailure
from sidecar.upstream.http import Call, Reply, Upstream

from .peers import Peer, Server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
OPEN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


def call(server: Server, *headers: tuple[str, str], method: str = "POST") -> Call:
    return Call(url=server.url, headers=headers, body=b"{}", method=method)


async def open_reply(upstream: Upstream, server: Server, raw: bytes) -> tuple[Reply, Peer]:
    opening = asyncio.ensure_future(upstream.open(call(server), 5.0))
    peer = await server.peer()
    await peer.request()
    await peer.send(raw)
    return await opening, peer


async def read_all(reply: Reply) -> bytes:
    return b"".join([data async for data in _pieces(reply)])


async def _pieces(reply: Reply) -> AsyncIterator[bytes]:
    while data := await reply.read():
        yield data


async def failure_of_opening(upstream: Upstream, the_call: Call) -> TransportFailure:
    with pytest.raises(TransportFailure) as caught:
        await upstream.open(the_call, 5.0)
    return caught.value


async def test_a_call_goes_out_with_its_headers_and_those_that_must_be_there(
    upstream: Upstream, server: Server
) -> None:
    opening = asyncio.ensure_future(upstream.open(call(server, ("authorization", "k")), 5.0))
    peer = await server.peer()
    raw = await peer.request()
    await peer.send(OK)
    await opening
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /v1/chat HTTP/1.1",
        b"Host: 127.0.0.1:%d" % server.port,
        b"authorization: k",
        b"Accept-Encoding: identity",
        b"Content-Length: 2",
    ]
    assert body == b"{}"


async def test_a_callers_own_headers_are_not_doubled(upstream: Upstream, server: Server) -> None:
    own = (("host", "elsewhere"), ("accept-encoding", "gzip"), ("content-length", "2"))
    opening = asyncio.ensure_future(upstream.open(call(server, *own), 5.0))
    peer = await server.peer()
    raw = (await peer.request()).lower()
    await peer.send(OK)
    await opening
    assert [raw.count(name) for name in (b"host:", b"accept-encoding:", b"content-length:")] == [
        1,
        1,
        1,
    ]


async def test_a_get_without_a_body_says_nothing_of_length(
    upstream: Upstream, server: Server
) -> None:
    the_call = Call(url=server.url, headers=(), body=b"", method="GET")
    opening = asyncio.ensure_future(upstream.open(the_call, 5.0))
    peer = await server.peer()
    raw = await peer.request()
    await peer.send(OK)
    await opening
    assert b"ontent-" not in raw


async def test_a_reply_has_lower_case_headers_with_repeated_ones_joined(
    upstream: Upstream, server: Server
) -> None:
    raw = b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"
    reply, _ = await open_reply(upstream, server, raw)
    assert reply.status == 429
    assert reply.headers == {"retry-after": "7", "x-a": "1, 2", "content-length": "0"}


async def test_a_body_is_read_to_its_clean_end_and_stays_there(
    upstream: Upstream, server: Server
) -> None:
    reply, peer = await open_reply(upstream, server, OPEN)
    assert await reply.read() == b"hello"
    await peer.send(b"3\r\nbye\r\n0\r\n\r\n")
    assert [await reply.read() for _ in range(3)] == [b"bye", b"", b""]


async def test_a_body_read_to_its_end_leaves_its_connection_open_for_the_next(
    upstream: Upstream, server: Server
) -> None:
    reply, peer = await open_reply(upstream, server, OK)
    await read_all(reply)
    reply.abort()
    opening = asyncio.ensure_future(upstream.open(call(server), 5.0))
    await peer.request()
    await peer.send(OK)
    assert await read_all(await opening) == b"ok"


async def test_a_body_that_breaks_off_is_a_cut(upstream: Upstream, server: Server) -> None:
    reply, peer = await open_reply(upstream, server, OPEN)
    assert await reply.read() == b"hello"
    peer.close()
    for _ in range(2):
        with pytest.raises(TransportFailure) as caught:
            await reply.read()
        assert caught.value.kind is Kind.CUT


async def test_a_chunk_that_is_none_is_a_breach_of_protocol(
    upstream: Upstream, server: Server
) -> None:
    reply, _ = await open_reply(upstream, server, OPEN + b"zz\r\n")
    assert await reply.read() == b"hello"
    with pytest.raises(TransportFailure) as caught:
        await reply.read()
    assert caught.value.kind is Kind.PROTOCOL


async def test_abort_closes_the_providers_socket_and_is_idempotent(
    upstream: Upstream, server: Server
) -> None:
    reply, peer = await open_reply(upstream, server, OPEN)
    reply.abort()
    reply.abort()
    await peer.wait_gone()
    with pytest.raises(TransportFailure):
        await reply.read()


async def test_a_reader_cancelled_in_its_read_can_abort_at_once(
    upstream: Upstream, server: Server
) -> None:
    reply, peer = await open_reply(upstream, server, OPEN)
    await reply.read()
    reading = asyncio.ensure_future(reply.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    reply.abort()
    await peer.wait_gone()


async def test_a_cancelled_open_closes_the_providers_socket(
    upstream: Upstream, server: Server
) -> None:
    opening = asyncio.ensure_future(upstream.open(call(server), 5.0))
    peer = await server.peer()
    await peer.request()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await peer.wait_gone()


@pytest.mark.parametrize("coding", [b"gzip", b"x-gzip"])
async def test_a_body_compressed_against_our_wish_is_read(
    upstream: Upstream, server: Server, coding: bytes
) -> None:
    body = gzip.compress(b"hello")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    reply, _ = await open_reply(upstream, server, head % (coding, len(body)) + body)
    assert await read_all(reply) == b"hello"


async def test_a_compressed_body_that_stops_inside_its_coding_is_a_cut(
    upstream: Upstream, server: Server
) -> None:
    body = gzip.compress(b"hello" * 100)[:-6]
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    reply, _ = await open_reply(upstream, server, head % len(body) + body)
    with pytest.raises(TransportFailure) as caught:
        await read_all(reply)
    assert caught.value.kind is Kind.CUT


async def test_a_body_that_is_not_its_coding_is_a_breach_of_protocol(
    upstream: Upstream, server: Server
) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain"
    reply, _ = await open_reply(upstream, server, raw)
    with pytest.raises(TransportFailure) as caught:
        await reply.read()
    assert caught.value.kind is Kind.PROTOCOL


async def test_an_unknown_coding_is_refused_at_the_headers(
    upstream: Upstream, server: Server
) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n"
    opening = asyncio.ensure_future(upstream.open(call(server), 5.0))
    peer = await server.peer()
    await peer.request()
    await peer.send(raw)
    with pytest.raises(TransportFailure) as caught:
        await opening
    assert caught.value.kind is Kind.PROTOCOL
    await peer.wait_gone()


async def test_a_refused_connection_is_a_connect_failure(
    upstream: Upstream, server: Server
) -> None:
    server.__exit__(None, None, None)
    failure = await failure_of_opening(upstream, call(server))
    assert (failure.kind, "ECONNREFUSED" in failure.detail) == (Kind.CONNECT, True)


async def test_a_host_without_an_address_is_a_dns_failure(upstream: Upstream) -> None:
    failure = await failure_of_opening(upstream, Call("http://no-such-host.invalid/", (), b""))
    assert failure.kind is Kind.DNS


async def test_a_connection_that_takes_too_long_is_a_connect_timeout(
    upstream: Upstream, server: Server
) -> None:
    with pytest.raises(TransportFailure) as caught:
        await upstream.open(Call(f"https://127.0.0.1:{server.port}/", (), b""), 0.02)
    assert caught.value.kind is Kind.CONNECT_TIMEOUT


async def test_a_provider_that_hangs_up_unanswered_is_a_reset(
    upstream: Upstream, server: Server
) -> None:
    opening = asyncio.ensure_future(upstream.open(call(server), 5.0))
    peer = await server.peer()
    await peer.request()
    peer.close()
    with pytest.raises(TransportFailure) as caught:
        await opening
    assert caught.value.kind is Kind.RESET


@pytest.mark.parametrize("url", ["ftp://host/", "nonsense", "http://", "http://h\n/"])
async def test_a_url_that_cannot_be_called_is_a_breach_of_protocol(
    upstream: Upstream, url: str
) -> None:
    assert (await failure_of_opening(upstream, Call(url, (), b""))).kind is Kind.PROTOCOL


async def test_a_header_that_cannot_be_sent_is_a_breach_of_protocol(
    upstream: Upstream, server: Server
) -> None:
    failure = await failure_of_opening(upstream, call(server, ("authorization", "sk-\u2026")))
    assert failure.kind is Kind.PROTOCOL


async def test_no_failure_tells_the_query_or_a_header(upstream: Upstream, server: Server) -> None:
    server.__exit__(None, None, None)
    headers = (("authorization", "Bearer sk-secret"), ("x-bad", "a\r\nb: sk-secret"))
    for the_headers in (headers[:1], headers):
        the_call = Call(f"{server.url}?key=sk-secret", the_headers, b"")
        failure = await failure_of_opening(upstream, the_call)
        assert "sk-secret" not in f"{failure!r} {failure} {failure.detail}"
        assert failure.__suppress_context__


async def test_closing_cuts_the_replies_that_are_open(upstream: Upstream, server: Server) -> None:
    reply, peer = await open_reply(upstream, server, OPEN)
    await reply.read()
    await upstream.aclose()
    with pytest.raises(TransportFailure) as caught:
        await reply.read()
    assert caught.value.kind is Kind.CUT
    await peer.wait_gone()


async def test_as_many_urls_as_there_may_be_cost_no_more_memory(
    upstream: Upstream,
) -> None:
    for n in range(600):
        upstream._url(f"http://host/{n}")
    assert len(upstream._urls) <= 256


class TestOnTheStockTransport:
    """The face holds on any httpx transport; this is the one that serves proxies."""

    @pytest.fixture
    async def upstream(self, trust: ssl.SSLContext) -> AsyncIterator[Upstream]:
        upstream = Upstream(httpx.AsyncHTTPTransport(verify=trust, trust_env=False))
        yield upstream
        await upstream.aclose()

    async def test_a_reply_is_read(self, upstream: Upstream, server: Server) -> None:
        reply, _ = await open_reply(upstream, server, OK)
        assert await read_all(reply) == b"ok"
        reply.abort()

    async def test_abort_closes_the_providers_socket(
        self, upstream: Upstream, server: Server
    ) -> None:
        reply, peer = await open_reply(upstream, server, OPEN)
        await reply.read()
        reply.abort()
        await peer.wait_gone()

    async def test_a_cut_is_a_cut(self, upstream: Upstream, server: Server) -> None:
        reply, peer = await open_reply(upstream, server, OPEN)
        await reply.read()
        peer.close()
        with pytest.raises(TransportFailure) as caught:
            await reply.read()
        assert caught.value.kind is Kind.CUT
        reply.abort()

    async def test_a_refused_connection_is_told_with_its_reason(
        self, upstream: Upstream, server: Server
    ) -> None:
        server.__exit__(None, None, None)
        failure = await failure_of_opening(upstream, call(server))
        assert (failure.kind, "ECONNREFUSED" in failure.detail) == (Kind.CONNECT, True)

    async def test_a_hang_up_is_a_reset(self, upstream: Upstream, server: Server) -> None:
        opening = asyncio.ensure_future(upstream.open(call(server), 5.0))
        peer = await server.peer()
        await peer.request()
        peer.close()
        with pytest.raises(TransportFailure) as caught:
            await opening
        assert caught.value.kind is Kind.RESET
