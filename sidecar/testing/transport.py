"""The fake provider in memory: a transport for httpx that needs no socket, for virtual time."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from sidecar.core.clock import Clock
from sidecar.testing.actions import Head, How
from sidecar.testing.asked import Incoming
from sidecar.testing.control import open_exchange
from sidecar.testing.exchange import Exchange
from sidecar.testing.journal import Ending
from sidecar.testing.provider import FakeProvider
from sidecar.testing.wire import perform

_log = logging.getLogger(__name__)

# What a kernel's two socket buffers hold before the sender has to wait; any such size will do.
BUFFER_BYTES = 256 * 1024


class Pipe:
    """The wire of `perform` on one side, what httpx reads on the other."""

    def __init__(self, request: httpx.Request) -> None:
        self._request = request
        self._chunks: list[bytes] = []
        self._size = 0
        self._head: Head | None = None
        self._lost: How | None = None
        self._finished = False
        self._moved = asyncio.Event()

    # What `perform` calls.

    def head(self, head: Head) -> None:
        self._head = head
        self._moved.set()

    def send(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        self._moved.set()

    async def wait_writable(self) -> None:
        while self._size > BUFFER_BYTES:
            self._moved.clear()
            await self._moved.wait()

    def finish(self) -> None:
        self._finished = True
        self._moved.set()

    def cut(self, how: How) -> None:
        self._lost = how
        self._moved.set()

    # What the reader calls.

    async def wait_head(self) -> Head:
        """The response head. Raises what httpx would for a connection that was lost."""
        while self._head is None and self._lost is None:
            await self._wait_moved()
        if self._head is None:
            raise self._error()
        return self._head

    async def read(self) -> bytes:
        """All that has arrived, b"" at the end of the body. Raises as `wait_head`."""
        while not self._chunks and not self._finished and self._lost is None:
            await self._wait_moved()
        if self._chunks:
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._size = 0
            self._moved.set()
            return data
        if self._finished or self._looks_finished():
            return b""
        raise self._error()

    def _looks_finished(self) -> bool:
        return bool(self._head and self._head.until_close and self._lost is not How.RESET)

    async def _wait_moved(self) -> None:
        timeouts: Mapping[str, Any] = self._request.extensions.get("timeout", {})
        self._moved.clear()
        try:
            async with asyncio.timeout(timeouts.get("read")):
                await self._moved.wait()
        except TimeoutError:
            raise httpx.ReadTimeout("", request=self._request) from None

    def _error(self) -> httpx.TransportError:
        kind, before, within = _ERRORS[self._lost or How.CLOSE]
        return kind(before if self._head is None else within, request=self._request)


_CLOSED = "Server disconnected without sending a response."
_CUT = "peer closed connection without sending complete message body (incomplete chunked read)"
_ERRORS: dict[How, tuple[type[httpx.TransportError], str, str]] = {
    How.CLOSE: (httpx.RemoteProtocolError, _CLOSED, _CUT),
    How.HALF_CLOSE: (httpx.RemoteProtocolError, _CLOSED, _CUT),
    How.RESET: (httpx.ReadError, "", ""),
    How.REFUSE: (httpx.ConnectError, "All connection attempts failed", ""),
}


class Body(httpx.AsyncByteStream):
    """The body of a response; closing it early is the client's hanging up."""

    def __init__(self, pipe: Pipe, exchange: Exchange, task: asyncio.Task[None], clock: Clock):
        self._pipe = pipe
        self._exchange = exchange
        self._task = task
        self._clock = clock

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._pipe.read():
            yield data

    async def aclose(self) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """The client is gone, now."""
        self._exchange.end(Ending.CLIENT_CLOSED, self._clock.now())
        self._task.cancel()


class FakeTransport(httpx.AsyncBaseTransport):
    """Leads each host (as in `http://HOST/...`) to its provider; other hosts refuse connections.

    Hosts named in `down` refuse them too. Whatever was sent by one moment of the loop's time is
    read as one chunk, as with sockets. The read timeout of httpx is kept, the others do not apply.
    """

    def __init__(self, providers: Mapping[str, FakeProvider], clock: Clock) -> None:
        self._providers = dict(providers)
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self.down: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        provider = self._providers.get(request.url.host)
        if provider is None or request.url.host in self.down:
            raise httpx.ConnectError("All connection attempts failed", request=request)
        pipe = Pipe(request)
        exchange = open_exchange(provider, await _incoming(request))
        task = self._start(exchange, pipe)
        body = Body(pipe, exchange, task, self._clock)
        try:
            head = await pipe.wait_head()
        except BaseException:
            body.hang_up()
            raise
        headers = [(name.encode(), value.encode()) for name, value in head.headers]
        return httpx.Response(head.status, headers=headers, stream=body)

    async def aclose(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def _start(self, exchange: Exchange, pipe: Pipe) -> asyncio.Task[None]:
        task = asyncio.ensure_future(perform(exchange, pipe, self._clock))
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._done, exchange, pipe))
        return task

    def _done(self, exchange: Exchange, pipe: Pipe, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("the fake provider failed", exc_info=task.exception())
            exchange.end(Ending.STOPPED, self._clock.now())
            pipe.cut(How.RESET)


async def _incoming(request: httpx.Request) -> Incoming:
    headers = {name.lower(): value for name, value in request.headers.items()}
    path = request.url.raw_path.decode("latin-1")
    return Incoming(request.method, path, headers, await request.aread())
