"""One request's response as a stream: what the reader parsed, handed to the one who waits for it.

Rules of this file. Bytes are only buffered as they come; a reader gets what came since the last
read as one object, up to a bound, so that small events merge by themselves when we are slow. What
arrived before a failure is handed out before the failure is raised. Reading the socket stops while
too much is unread.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, Self

import httpx

from sidecar.upstream.limits import WireLimits
from sidecar.upstream.reading import Failure, ResponseReader
from sidecar.upstream.streams import AbortableStream

_CLOSED_BY_CALLER = Failure(httpx.ReadError, "the response was closed by its reader")


class Wire(Protocol):
    """What an exchange may ask of the connection under it; all of it synchronous."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def abort(self) -> None: ...


class Exchange(AbortableStream):
    """The body of one response, and its head once `wait_head` has returned.

    One reader at a time. `abort` and `aclose` end it at once: the connection is closed, unless the
    response had already arrived whole.
    """

    def __init__(self, wire: Wire, limits: WireLimits, *, expects_body: bool) -> None:
        self.reader = ResponseReader(limits, expects_body=expects_body)
        self.read_timeout_s: float | None = None
        self._wire = wire
        self._high_water_bytes = limits.high_water_bytes
        self._most_at_once = limits.read_bytes
        self._unread_bytes = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def over(self) -> bool:
        """Nothing more will come in."""
        return self.reader.complete or self.reader.failure is not None

    # The side of the connection.

    def receive(self, data: bytes) -> None:
        """The socket gave `data`."""
        self.reader.feed(data)
        self._unread_bytes += len(data)
        if self.over:
            self._let_flow()  # the connection may serve somebody else from now on
        elif self._unread_bytes > self._high_water_bytes and not self._paused:
            self._paused = True
            self._wire.pause()
        self._wake()

    def end(self, error: BaseException | None) -> None:
        """The socket gave an end of file (None) or `error`."""
        self.reader.end(error)
        self._wake()

    def fail(self, failure: Failure) -> None:
        """Nothing more will come in, because of `failure`."""
        self.reader.fail(failure)
        self._wake()

    # The side of the caller.

    async def wait_head(self) -> None:
        """Until status and headers hold; raises httpx's exceptions."""
        reader = self.reader
        while not reader.head_ready:
            if reader.failure is not None:
                raise reader.failure.exception()
            await self._wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        reader = self.reader
        while not reader.pieces:
            if reader.complete:
                raise StopAsyncIteration
            if reader.failure is not None:
                raise reader.failure.exception()
            await self._wait()
        return self._take()

    async def aclose(self) -> None:
        self.abort()

    def abort(self) -> None:
        """End it now; a reader that waits is woken by an `httpx.ReadError`."""
        self.reader.pieces.clear()
        if not self.over:
            self.fail(_CLOSED_BY_CALLER)
            self._wire.abort()

    def _take(self) -> bytes:
        pieces = self.reader.pieces
        if self._unread_bytes > self._most_at_once:
            return self._take_some(pieces)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._unread_bytes = 0
        self._let_flow()
        return data

    def _take_some(self, pieces: list[bytes]) -> bytes:
        """As much as may be taken at once, wherever that cuts the provider's pieces."""
        data = b"".join(pieces)
        rest = data[self._most_at_once :]
        pieces[:] = [rest] if rest else []
        self._unread_bytes = len(rest)
        if self._unread_bytes <= self._high_water_bytes:
            self._let_flow()
        return data[: self._most_at_once]

    def _let_flow(self) -> None:
        if self._paused:
            self._paused = False
            self._wire.resume()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            if self.read_timeout_s is None:
                await self._waiter
            else:
                await self._wait_at_most(self._waiter, self.read_timeout_s)
        finally:
            self._waiter = None

    async def _wait_at_most(self, waiter: asyncio.Future[None], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            self.abort()
            raise httpx.ReadTimeout("the provider sent nothing in time") from None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
