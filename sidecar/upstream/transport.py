"""The fast httpx transport: HTTP/1.1 on asyncio protocols and httptools.

Why our own. Behind the gRPC server the stock transport costs more CPU per token than everything
else together (decision 0002 has the figures). What it does not do: HTTP/2, proxies, redirects, Unix
sockets. A provider behind a proxy gets the stock `httpx.AsyncHTTPTransport(proxy=...)`.

Sent again. A request is sent a second time in one case only: the connection was reused from the
pool, it was closed (not reset) before one byte of a response, and the kernel's count of
acknowledged bytes proves that the request came to a connection closed already
(`Connection._never_processed`). A POST that may have been processed, and billed, is never repeated
here: whether to try again is `failover`'s to say.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

from sidecar.upstream.connection import Connection
from sidecar.upstream.dial import dial
from sidecar.upstream.errors import NeverProcessed
from sidecar.upstream.limits import WireLimits
from sidecar.upstream.pool import Pool
from sidecar.upstream.wire import Origin, encode_head, origin_of, whole_body


class ProviderTransport(httpx.AsyncBaseTransport):
    """Stands wherever an httpx transport can; belongs to one event loop.

    `trust` verifies every https origin. Of httpx's timeouts (`request.extensions["timeout"]`)
    `connect` and `read` are obeyed; there is no queue to time out in, and a write never waits.
    """

    def __init__(self, trust: ssl.SSLContext, limits: WireLimits | None = None) -> None:
        self._trust = trust
        self._limits = limits or WireLimits()
        self._pool = Pool(self._limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response, at its headers; its stream is read or closed by the caller."""
        origin = origin_of(request.url)
        body = await whole_body(request)
        head = encode_head(request, len(body))
        idle = self._pool.take(origin)
        if idle is not None:
            try:
                return await self._ask(idle, request, head, body)
            except NeverProcessed:
                pass  # proven unseen, so this is no retry of anything
        fresh = await self._dial(origin, _timeouts(request).get("connect"))
        return await self._ask(fresh, request, head, body)

    async def aclose(self) -> None:
        """Close every connection at once; streams still open end with `httpx.ReadError`."""
        await self._pool.aclose()

    async def _dial(self, origin: Origin, timeout_s: float | None) -> Connection:
        self._pool.check_room(origin)
        return await dial(origin, self._trust, self._pool, self._limits, timeout_s)

    async def _ask(
        self, connection: Connection, request: httpx.Request, head: bytes, body: bytes
    ) -> httpx.Response:
        expects_body = request.method != "HEAD"
        exchange = connection.send(head, body, self._limits, expects_body=expects_body)
        exchange.read_timeout_s = _timeouts(request).get("read")
        try:
            await exchange.wait_head()
        except BaseException:
            exchange.abort()
            raise
        reader = exchange.reader
        return httpx.Response(reader.status, headers=reader.headers, stream=exchange)


def _timeouts(request: httpx.Request) -> Mapping[str, float | None]:
    timeouts: Mapping[str, float | None] = request.extensions.get("timeout", {})
    return timeouts
