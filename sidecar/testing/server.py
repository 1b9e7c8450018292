"""The fake provider on a real socket: HTTP/1.1 with full control of how a connection ends."""

from __future__ import annotations

import asyncio
import http
import logging
import socket
import ssl
import struct
from collections import deque
from typing import cast

import httptools

from sidecar.core.clock import Clock
from sidecar.testing.actions import Head, How
from sidecar.testing.asked import Incoming
from sidecar.testing.control import open_exchange
from sidecar.testing.exchange import Exchange
from sidecar.testing.journal import Ending
from sidecar.testing.provider import FakeProvider
from sidecar.testing.wire import perform

_log = logging.getLogger(__name__)

# Larger than any prompt that a test of 100,000 tokens sends.
MAX_BODY_BYTES = 64 * 1024 * 1024


class Connection(asyncio.Protocol):
    """One client. Requests are answered one after the other; the wire of `perform`."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Incoming] = deque()
        self._task: asyncio.Task[None] | None = None
        self._exchange: Exchange | None = None
        self._chunked = False
        self._until_close = False
        self._writable = asyncio.Event()
        self._writable.set()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods, but not the base class.
        self._transport = cast(asyncio.Transport, transport)
        self._server.made(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.lost(self)
        self._writable.set()
        self._give_up(Ending.CLIENT_CLOSED)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > MAX_BODY_BYTES:
            self._transport.abort()

    def on_message_complete(self) -> None:
        method, path = self._parser.get_method().decode(), self._url.decode("latin-1")
        self._waiting.append(Incoming(method, path, self._headers, bytes(self._body)))
        if self._task is None:
            self._next()

    # What `perform` calls.

    def head(self, head: Head) -> None:
        has_length = any(name == "content-length" for name, _ in head.headers)
        self._until_close = head.until_close
        self._chunked = not has_length and not head.until_close
        lines = [f"HTTP/1.1 {head.status} {_phrase(head.status)}"]
        lines += [f"{name}: {value}" for name, value in head.headers]
        if self._chunked:
            lines.append("transfer-encoding: chunked")
        if head.until_close:
            lines.append("connection: close")
        self._transport.write("\r\n".join([*lines, "", ""]).encode("utf-8"))

    def send(self, data: bytes) -> None:
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        # Late steps are made up for in one go, and the client may have gone before the first: each
        # more than five would be a warning of asyncio, fifty streams' worth in the log of a test.
        if not self._transport.is_closing():
            self._transport.write(data)

    async def wait_writable(self) -> None:
        await self._writable.wait()

    def finish(self) -> None:
        if self._chunked:
            self._transport.write(b"0\r\n\r\n")
        if self._until_close:
            self._transport.close()

    def cut(self, how: How) -> None:
        if how is How.CLOSE:
            self._transport.close()
        elif how is How.HALF_CLOSE:
            self._transport.write_eof()
        else:
            self._reset()

    def stop(self) -> None:
        """The provider shuts down."""
        self._give_up(Ending.STOPPED)
        self._transport.abort()

    def _reset(self) -> None:
        # Linger on with no time makes the kernel send RST instead of FIN.
        # The option is set through a twin: uvloop's own socket object has no setsockopt.
        sock = self._transport.get_extra_info("socket")
        with socket.fromfd(sock.fileno(), socket.AF_INET, socket.SOCK_STREAM) as twin:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _next(self) -> None:
        self._exchange = open_exchange(self._server.provider, self._waiting.popleft())
        self._task = asyncio.ensure_future(perform(self._exchange, self, self._server.clock))
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            return
        if task.exception() is not None:
            _log.error("the fake provider failed", exc_info=task.exception())
            self._give_up(Ending.STOPPED)
            self._transport.abort()
        elif self._waiting and not self._transport.is_closing():
            self._next()

    def _give_up(self, ending: Ending) -> None:
        if self._exchange is not None:
            self._exchange.end(ending, self._server.clock.now())
        if self._task is not None:
            self._task.cancel()


class FakeServer:
    """Listens for a provider. `start`, then `base_url`; `refuse` and `listen` play an outage.

    `send_buffer_bytes`: what the kernel takes of an answer that the client does not read; 0 leaves
    it to the kernel, which takes megabytes. `tls`: speak it, by this certificate.
    """

    def __init__(
        self,
        provider: FakeProvider,
        clock: Clock,
        send_buffer_bytes: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.provider = provider
        self.clock = clock
        self._send_buffer_bytes = send_buffer_bytes
        self._tls = tls
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._server: asyncio.Server | None = None
        self._address = ("127.0.0.1", 0)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. OSError if the port is taken."""
        self._address = (host, port)
        await self.listen()

    @property
    def port(self) -> int:
        """The port that is, or was last, listened on."""
        return self._address[1]

    @property
    def base_url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self._address[0]}:{self._address[1]}"

    async def listen(self) -> None:
        """Accept connections (again), on the same port."""
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._server = await loop.create_server(
            lambda: Connection(self), host, port, reuse_address=True, backlog=1024, ssl=self._tls
        )
        listener = self._server.sockets[0]
        self._address = (host, listener.getsockname()[1])
        if self._send_buffer_bytes:
            # Every connection has it from the listener. A twin again, for uvloop.
            with socket.fromfd(listener.fileno(), listener.family, socket.SOCK_STREAM) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer_bytes)

    async def refuse(self) -> None:
        """Accept no connection any more, and reset those that are open: the host is down."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.stop()
        await self._empty.wait()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def made(self, connection: Connection) -> None:
        """A client has connected."""
        self._connections.add(connection)
        self._empty.clear()

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    async def close(self) -> None:
        """Stop for good; open attempts end as STOPPED."""
        await self.refuse()


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
