"""The face of the room: a call goes out, a reply is read, one exception tells what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Final

import httpx
import msgspec

from sidecar.upstream.encoding import Decoder, NotDecodable, decoder_for
from sidecar.upstream.failure import (
    HTTPX_ERRORS,
    Kind,
    TransportFailure,
    failure_at_opening,
    failure_in_body,
)
from sidecar.upstream.streams import AbortableStream, WholeBody

# Parsing a URL costs more than sending the request; providers have a handful of them.
_URLS_KEPT: Final = 256


class Call(msgspec.Struct, frozen=True):
    """One request to a provider. `headers` are sent as they are, Host, Content-Length and
    Accept-Encoding: identity are added where they are missing."""

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    method: str = "POST"

    def __repr__(self) -> str:
        # Headers hold the key, the body the caller's words.
        return f"Call({self.method} {self.url}, body={len(self.body)} bytes)"


class Upstream:
    """Opens calls on any httpx transport; belongs to one event loop.

    Redirects are not followed, the environment's proxies are not read. A provider behind a proxy
    gets an Upstream of its own, on `httpx.AsyncHTTPTransport(proxy=...)`.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._urls: dict[str, httpx.URL] = {}
        self._closings: set[asyncio.Task[None]] = set()

    async def open(self, call: Call, connect_timeout_s: float) -> Reply:
        """The reply, as soon as its headers are here. Raises TransportFailure.

        Cancelled, it closes the connection before it returns. Only connecting is timed: how long a
        provider may think is the caller's to watch.
        """
        try:
            request = self._request(call, connect_timeout_s)
            response = await self._transport.handle_async_request(request)
        except HTTPX_ERRORS as exc:
            raise failure_at_opening(exc) from None
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return self._reply(response, response.stream)

    async def aclose(self) -> None:
        """Close the transport with all its connections; replies still open end with a CUT."""
        if self._closings:
            await asyncio.wait(self._closings)
        await self._transport.aclose()

    def _request(self, call: Call, connect_timeout_s: float) -> httpx.Request:
        url = self._url(call.url)
        return httpx.Request(
            call.method,
            url,
            headers=_headers(call, url),
            stream=WholeBody(call.body),
            extensions={"timeout": {"connect": connect_timeout_s}},
        )

    def _url(self, text: str) -> httpx.URL:
        url = self._urls.get(text)
        if url is None:
            if len(self._urls) >= _URLS_KEPT:
                self._urls.clear()
            url = self._urls[text] = httpx.URL(text)
        return url

    def _reply(self, response: httpx.Response, stream: httpx.AsyncByteStream) -> Reply:
        headers = _lower(response.headers)
        try:
            decoder = decoder_for(headers.get("content-encoding", ""))
        except NotDecodable as exc:
            self._give_up(stream, None)
            raise TransportFailure(Kind.PROTOCOL, str(exc)) from None
        return Reply(response.status_code, headers, stream, decoder, self._give_up)

    def _give_up(self, stream: httpx.AsyncByteStream, pieces: AsyncIterator[bytes] | None) -> None:
        if isinstance(stream, AbortableStream):
            stream.abort()
            return
        task = asyncio.get_running_loop().create_task(_close(stream, pieces))
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)


class Reply:
    """A provider's answer: `status`, `headers` (lower-case names), and the body piece by piece.

    One reader at a time. Whoever opened it ends with `abort`, whatever happened.
    """

    __slots__ = ("_decoder", "_give_up", "_given_up", "_pieces", "_stream", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        stream: httpx.AsyncByteStream,
        decoder: Decoder | None,
        give_up: Callable[[httpx.AsyncByteStream, AsyncIterator[bytes]], None],
    ) -> None:
        self.status = status
        self.headers = headers
        self._stream = stream
        self._pieces = stream.__aiter__()
        self._decoder = decoder
        self._give_up = give_up
        self._given_up = False

    async def read(self) -> bytes:
        """All that has arrived since the last read, waiting for at least one byte.

        b"" is the clean end of the body. Raises TransportFailure: CUT where it broke off, PROTOCOL
        where it is not HTTP or not its content-encoding.
        """
        if self._decoder is not None:
            return await self._read_decoded(self._decoder)
        return await self._read_raw()

    def abort(self) -> None:
        """Have done with the reply. Idempotent, never waits.

        A body read to its end has given its connection back already; of any other the connection is
        closed now (on a transport that can only close by waiting, as soon as the loop runs).
        """
        if not self._given_up:
            self._given_up = True
            self._give_up(self._stream, self._pieces)

    async def _read_raw(self) -> bytes:
        if self._given_up:
            raise TransportFailure(Kind.CUT, "the reply was given up by its reader")
        try:
            while not (data := await self._pieces.__anext__()):
                pass
        except StopAsyncIteration:
            return b""
        except HTTPX_ERRORS as exc:
            raise failure_in_body(exc) from None
        return data

    async def _read_decoded(self, decoder: Decoder) -> bytes:
        try:
            while not (data := decoder.take()):
                raw = await self._read_raw()
                if not raw:
                    return self._end(decoder)
                decoder.feed(raw)
        except NotDecodable as exc:
            raise TransportFailure(Kind.PROTOCOL, str(exc)) from None
        return data

    @staticmethod
    def _end(decoder: Decoder) -> bytes:
        if not decoder.whole:
            raise TransportFailure(Kind.CUT, "the body ended inside its content-encoding")
        return b""


def _headers(call: Call, url: httpx.URL) -> list[tuple[bytes, bytes]]:
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in call.headers]
    names = {name.lower() for name, _ in headers}
    if b"host" not in names:
        headers.insert(0, (b"Host", url.netloc))
    if b"accept-encoding" not in names:
        headers.append((b"Accept-Encoding", b"identity"))
    if b"content-length" not in names and (call.body or call.method == "POST"):
        headers.append((b"Content-Length", b"%d" % len(call.body)))
    return headers


def _lower(headers: httpx.Headers) -> dict[str, str]:
    """Repeated fields joined as RFC 9110, section 5.3, says."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


async def _close(stream: httpx.AsyncByteStream, pieces: AsyncIterator[bytes] | None) -> None:
    """For transports whose streams close by waiting; one that cannot even close is gone anyway."""
    try:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
        await stream.aclose()
    except HTTPX_ERRORS:
        pass
