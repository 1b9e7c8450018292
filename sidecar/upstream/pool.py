"""Which connections there are and which are free. Decides at once, never waits.

The pool never makes a request queue for a connection: waiting has one place, and it is not here.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

import httpx

from sidecar.upstream.connection import Connection
from sidecar.upstream.limits import WireLimits
from sidecar.upstream.wire import Origin


class Pool:
    """Idle connections by origin, newest last, and all that are open."""

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._idle: defaultdict[Origin, list[Connection]] = defaultdict(list)
        self._open: defaultdict[Origin, set[Connection]] = defaultdict(set)
        self._drained: asyncio.Future[None] | None = None
        self._closed = False

    def take(self, origin: Origin) -> Connection | None:
        """An idle connection that is still good, or None. The newest first: it is the likeliest to
        live, and the oldest get their chance to expire."""
        stack = self._idle.get(origin)
        while stack:
            connection = stack.pop()
            self._unpark(connection)
            if connection.reusable():
                return connection
            connection.abort()
        return None

    def check_room(self, origin: Origin) -> None:
        """Raises `httpx.PoolTimeout` if this origin has all the connections it may have."""
        if self._closed or len(self._open.get(origin, ())) >= self._limits.connections_per_origin:
            raise httpx.PoolTimeout("no connection is free and no more may be opened")

    def add(self, connection: Connection) -> None:
        self._open[connection.origin].add(connection)
        if self._closed:
            connection.abort()

    def keep(self, connection: Connection) -> None:
        stack = self._idle[connection.origin]
        if self._closed or len(stack) >= self._limits.idle_per_origin:
            connection.abort()
            return
        stack.append(connection)
        loop = asyncio.get_running_loop()
        connection.expiry = loop.call_later(self._limits.idle_expiry_s, self._expire, connection)

    def forget(self, connection: Connection) -> None:
        self._unpark(connection)
        self._remove_idle(connection)
        peers = self._open.get(connection.origin, set())
        peers.discard(connection)
        if not peers:
            self._open.pop(connection.origin, None)
            self._idle.pop(connection.origin, None)
        if not self._open and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    async def aclose(self) -> None:
        """Abort every connection, idle or not, and wait until the loop has closed their sockets."""
        self._closed = True
        for connection in [one for peers in self._open.values() for one in peers]:
            connection.abort()
        if any(self._open.values()):
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def _expire(self, connection: Connection) -> None:
        self._remove_idle(connection)
        connection.abort()

    def _remove_idle(self, connection: Connection) -> None:
        stack = self._idle.get(connection.origin, [])
        if connection in stack:
            stack.remove(connection)

    @staticmethod
    def _unpark(connection: Connection) -> None:
        if connection.expiry is not None:
            connection.expiry.cancel()
            connection.expiry = None
