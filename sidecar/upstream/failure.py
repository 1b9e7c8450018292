"""The one exception that leaves this room, and the tables that make it of httpx's many."""

from __future__ import annotations

import enum
import errno
import socket
import ssl
from collections.abc import Mapping
from typing import Final

import httpx

from sidecar.upstream.errors import Malformed


class Kind(enum.Enum):
    """Where the way to the provider broke."""

    CONNECT = "connect"  # no TCP connection
    CONNECT_TIMEOUT = "connect_timeout"  # no connection (TLS included) in the time given
    TLS = "tls"  # the peer is not who the certificate says, or does not speak TLS
    DNS = "dns"  # the host has no address
    RESET = "reset"  # connected, asked, and lost before the response's head was whole
    CUT = "cut"  # the body broke off
    PROTOCOL = "protocol"  # not HTTP/1.1 as we take it
    WRITE = "write"  # the request could not be written


class TransportFailure(Exception):
    """A provider could not be asked, or its answer not be read to the end.

    `detail` is safe to log and to show: it names errors of the network and never holds a header, a
    query, or a byte that the provider sent.
    """

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(f"{kind.value}: {detail}")
        self.kind = kind
        self.detail = detail


# What may come out of httpx's transport seam. OSError: a careless transport lets one through.
# UnicodeError: a header that does not fit into Latin-1, or a host that is no name.
HTTPX_ERRORS: Final = (
    httpx.HTTPError,
    httpx.StreamError,
    httpx.InvalidURL,
    OSError,
    UnicodeError,
)

# The most specific class of an exception that has a row decides. A disconnect is the first column
# while we wait for the head, the second while we read the body.
_KINDS: Final[Mapping[type[BaseException], tuple[Kind, Kind]]] = {
    httpx.ConnectTimeout: (Kind.CONNECT_TIMEOUT, Kind.CUT),
    httpx.PoolTimeout: (Kind.CONNECT, Kind.CUT),
    httpx.ConnectError: (Kind.CONNECT, Kind.CUT),
    httpx.ProxyError: (Kind.CONNECT, Kind.CUT),
    httpx.UnsupportedProtocol: (Kind.PROTOCOL, Kind.PROTOCOL),
    httpx.InvalidURL: (Kind.PROTOCOL, Kind.PROTOCOL),
    UnicodeError: (Kind.PROTOCOL, Kind.PROTOCOL),
    httpx.LocalProtocolError: (Kind.PROTOCOL, Kind.PROTOCOL),
    httpx.DecodingError: (Kind.PROTOCOL, Kind.PROTOCOL),
    Malformed: (Kind.PROTOCOL, Kind.PROTOCOL),
    httpx.WriteError: (Kind.WRITE, Kind.CUT),
    httpx.WriteTimeout: (Kind.WRITE, Kind.CUT),
    # Whatever else: a ReadError, any other RemoteProtocolError, a ReadTimeout, a closed stream.
    BaseException: (Kind.RESET, Kind.CUT),
}

# Why a connection could not be made lies behind httpx's one ConnectError, as its cause.
_CONNECT_CAUSES: Final[Mapping[type[BaseException], Kind]] = {
    ssl.SSLError: Kind.TLS,
    socket.gaierror: Kind.DNS,
}

_TEXTS: Final[Mapping[Kind, str]] = {
    Kind.CONNECT: "no connection to the provider",
    Kind.CONNECT_TIMEOUT: "no connection to the provider in time",
    Kind.TLS: "the provider's TLS was not accepted",
    Kind.DNS: "the provider's host name has no address",
    Kind.RESET: "the connection was lost before the provider answered",
    Kind.CUT: "the connection was lost inside the provider's answer",
    Kind.PROTOCOL: "the provider and we do not speak the same HTTP",
    Kind.WRITE: "the request could not be written",
}

# A cause of a cause of a cause: httpx, httpcore, anyio, the socket. A bound, should it be a ring.
_CHAIN_LINKS: Final = 8


def failure_at_opening(exc: BaseException) -> TransportFailure:
    """What went wrong before the response's head was there."""
    return _failure(exc, 0)


def failure_in_body(exc: BaseException) -> TransportFailure:
    """What went wrong after it."""
    return _failure(exc, 1)


def _failure(exc: BaseException, column: int) -> TransportFailure:
    kind = next(_KINDS[cls] for cls in type(exc).__mro__ if cls in _KINDS)[column]
    chain = _chain(exc)
    if kind is Kind.CONNECT:
        kind = next((_CONNECT_CAUSES[cls] for e in chain for cls in _rows(e)), kind)
    return TransportFailure(kind, _detail(kind, chain))


def _rows(exc: BaseException) -> list[type[BaseException]]:
    return [cls for cls in type(exc).__mro__ if cls in _CONNECT_CAUSES]


def _chain(exc: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = exc
    while link is not None and len(chain) < _CHAIN_LINKS:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain


def _detail(kind: Kind, chain: list[BaseException]) -> str:
    reason = next((text for link in chain if (text := _reason(link))), "")
    return f"{_TEXTS[kind]} ({reason})" if reason else _TEXTS[kind]


def _reason(exc: BaseException) -> str:
    """What may be told of one exception: fixed texts and the names of error numbers."""
    # Both are absent from an exception that OpenSSL did not raise itself.
    if isinstance(exc, ssl.SSLCertVerificationError):
        return getattr(exc, "verify_message", "")
    if isinstance(exc, ssl.SSLError):
        return getattr(exc, "reason", None) or ""
    if isinstance(exc, Malformed):
        return str(exc)
    if isinstance(exc, OSError) and exc.errno is not None:
        return errno.errorcode.get(exc.errno, "")
    return ""
