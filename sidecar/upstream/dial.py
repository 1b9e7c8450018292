"""From an origin to a connection: names, addresses, TCP, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from typing import Any, Final, cast

import aiohappyeyeballs
import httpx

from sidecar.upstream.connection import Connection, Keeper
from sidecar.upstream.limits import WireLimits
from sidecar.upstream.wire import Origin

_NO_DELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

# A model may think for minutes without a byte, and NATs forget silent connections after a few:
# probe after 60 s as Anthropic's SDK does, but tell a dead peer within two minutes.
_KEEP_ALIVE: Final = ("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)


async def dial(
    origin: Origin,
    trust: ssl.SSLContext,
    keeper: Keeper,
    limits: WireLimits,
    timeout_s: float | None,
) -> Connection:
    """A new connection, TLS done. Raises `httpx.ConnectTimeout` or `httpx.ConnectError`.

    The cause (a name, a socket, a certificate) stays behind the exception as its `__cause__`.
    """
    try:
        async with asyncio.timeout(timeout_s):
            sock = await _connect(origin, limits)
            return await _adopt(origin, sock, trust, keeper, limits)
    except TimeoutError as exc:
        raise httpx.ConnectTimeout("no connection in time") from exc
    # uvloop has RuntimeErrors where asyncio has OSErrors; a host that is no name, a UnicodeError.
    except (OSError, RuntimeError, UnicodeError) as exc:
        raise httpx.ConnectError("no connection") from exc


async def _connect(origin: Origin, limits: WireLimits) -> socket.socket:
    addresses = _literal(origin) or await _resolve(origin)
    sock = await aiohappyeyeballs.start_connection(
        addresses, happy_eyeballs_delay=limits.next_address_delay_s, interleave=1
    )
    try:
        _tune(sock, limits)
    except OSError:
        sock.close()
        raise
    return sock


async def _adopt(
    origin: Origin,
    sock: socket.socket,
    trust: ssl.SSLContext,
    keeper: Keeper,
    limits: WireLimits,
) -> Connection:
    """Give a connected socket to the event loop, which owns it from here, also if TLS fails."""
    transport, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(origin, sock, keeper),
        sock=sock,
        ssl=trust if origin.tls else None,
        server_hostname=origin.host if origin.tls else None,
    )
    if origin.tls:
        # What is still encrypted, the loop's TLS keeps; it would take 256 KiB of it.
        cast(Any, transport).set_read_buffer_limits(high=limits.high_water_bytes)
    connection.adopted()
    return connection


def _literal(origin: Origin) -> list[aiohappyeyeballs.AddrInfoType]:
    """The address itself where the host is one: a look-up would cost a thread."""
    with contextlib.suppress(ValueError):
        version = ipaddress.ip_address(origin.host).version
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        address = (origin.host, origin.port) if version == 4 else (origin.host, origin.port, 0, 0)
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]
    return []


async def _resolve(origin: Origin) -> list[aiohappyeyeballs.AddrInfoType]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        origin.host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    return cast(list[aiohappyeyeballs.AddrInfoType], found)


def _tune(sock: socket.socket, limits: WireLimits) -> None:
    sock.setsockopt(*_NO_DELAY)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, limits.kernel_bytes)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE:
        option = getattr(socket, name, None)  # macOS lacks the first
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
