"""One TCP or TLS connection: at most one exchange at a time, then idle, then another."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from typing import Final, Protocol, cast

from sidecar.upstream.errors import NeverProcessed
from sidecar.upstream.exchange import Exchange
from sidecar.upstream.limits import WireLimits
from sidecar.upstream.reading import Failure
from sidecar.upstream.wire import Origin

# Linux, struct tcp_info: tcpi_bytes_acked, a u64 behind 8 bytes, 24 u32 and 2 u64.
_TCP_INFO: Final[int | None] = getattr(socket, "TCP_INFO", None)
_TCP_INFO_BYTES: Final = 256
_BYTES_ACKED_AT: Final = 120

# A body up to this size is copied behind the head, so that both leave in one write.
_ONE_WRITE_BYTES: Final = 64 * 1024

_NEVER_PROCESSED: Final = Failure(
    NeverProcessed, "an idle connection ended as the request was sent"
)


class Keeper(Protocol):
    """Who owns the connection while no exchange does."""

    def add(self, connection: Connection) -> None:
        """The connection stands, for a request that is about to use it."""

    def keep(self, connection: Connection) -> None:
        """The connection is free and clean: keep it, or abort it."""

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""


class Connection(asyncio.Protocol):
    """Feeds what arrives to the current exchange; says when it is free and when it is gone."""

    def __init__(self, origin: Origin, sock: socket.socket, keeper: Keeper) -> None:
        self.origin = origin
        self.expiry: asyncio.TimerHandle | None = None
        self._sock = sock
        self._keeper = keeper
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._acked_before: int | None = None

    # The side of the transport.

    def send(
        self, head: bytes, body: bytes, limits: WireLimits, *, expects_body: bool = True
    ) -> Exchange:
        """Write a request; the exchange returned is its response to come."""
        exchange = Exchange(self, limits, expects_body=expects_body)
        if self._transport is None:
            exchange.end(None)
            return exchange
        self._exchange = exchange
        if len(body) <= _ONE_WRITE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        return exchange

    def reusable(self) -> bool:
        """Whether an idle connection is still good; remembers what a later proof needs.

        Anything to read on an idle connection (an end of file that the loop has not seen yet, or
        bytes nobody asked for) makes it bad.
        """
        if self._transport is None or self._transport.is_closing() or self._readable.poll(0):
            return False
        self._acked_before = _bytes_acked(self._sock)
        return True

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the socket without sending or reading anything more."""
        if self._transport is not None:
            self._transport.abort()

    def adopted(self) -> None:
        """Whoever dialled has it: from here on its keeper knows of it, unless it is lost already.

        Not from `connection_made` on: a dial that is cancelled between the two is closed by uvloop
        without a word, and the keeper would wait for the loss of it for ever.
        """
        if self._transport is not None:
            self._keeper.add(self)

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.abort()  # nobody asked: the next answer could be mistaken for another's
            return
        exchange.receive(data)
        if exchange.over:
            self._part_from(exchange)

    def eof_received(self) -> None:
        self._end(None)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)
        self._transport = None
        self._keeper.forget(self)

    def _end(self, error: Exception | None) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        if error is None and self._never_processed(exchange):
            exchange.fail(_NEVER_PROCESSED)
        else:
            exchange.end(error)

    def _part_from(self, exchange: Exchange) -> None:
        """The exchange is over: this connection is free, if it is clean on both sides."""
        self._exchange = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if exchange.reader.keep_alive and transport.get_write_buffer_size() == 0:
            self._keeper.keep(self)
        else:
            transport.abort()

    def _never_processed(self, exchange: Exchange) -> bool:
        """Proof, at an end of file, that no server has seen the request.

        A FIN carries the acknowledgement of all that the peer's kernel had taken in when its
        program closed. If that is not one byte more than before we wrote, the request came to a
        connection that was closed already, and nobody read it. A reset proves nothing: Linux does
        not count the acknowledgement it carries, and a program that crashed after reading a request
        sends one too. Without the kernel's count (not Linux, or a first request) there is no proof
        either. Where there is none, the caller decides.
        """
        if self._acked_before is None or exchange.reader.touched:
            return False
        return _bytes_acked(self._sock) == self._acked_before


def _bytes_acked(sock: socket.socket) -> int | None:
    """How many bytes of ours the peer's kernel has acknowledged so far; None if it is not known."""
    if _TCP_INFO is None:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TCP_INFO_BYTES)
        return cast(int, struct.unpack_from("=Q", info, _BYTES_ACKED_AT)[0]) or None
    except (OSError, struct.error):
        return None
