"""Requests to bytes. Plain functions; nothing here waits."""

from __future__ import annotations

from typing import Final

import httpx
import msgspec

from sidecar.upstream.streams import WholeBody

_DEFAULT_PORTS: Final = {b"http": 80, b"https": 443}

# The transport knows the whole body, so it frames it itself.
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})

# RFC 9110, section 8.6: a method that expects content says so even when there is none.
_EXPECTS_CONTENT: Final = frozenset({"POST", "PUT", "PATCH"})


class Origin(msgspec.Struct, frozen=True):
    """Whom a connection can be reused for."""

    tls: bool
    host: str
    port: int


def origin_of(url: httpx.URL) -> Origin:
    """The origin to connect to; raises `httpx.UnsupportedProtocol` for anything but http(s)."""
    port = _DEFAULT_PORTS.get(url.raw_scheme)
    if port is None or not url.raw_host:
        raise httpx.UnsupportedProtocol("only http:// and https:// with a host can be called")
    return Origin(url.raw_scheme == b"https", url.raw_host.decode("ascii"), url.port or port)


async def whole_body(request: httpx.Request) -> bytes:
    """The request's body; a streamed one is gathered, so that it can be framed by its length."""
    stream = request.stream
    if isinstance(stream, WholeBody):
        return stream.data
    assert isinstance(stream, httpx.AsyncByteStream)
    return b"".join([part async for part in stream])


def encode_head(request: httpx.Request, body_bytes: int) -> bytes:
    """Request line and headers; `httpx.LocalProtocolError` if one of them would break lines."""
    method, target = request.method.encode("ascii"), request.url.raw_path
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    named = [(item[0].lower(), item) for item in request.headers.raw]
    lines += [b"%b: %b" % item for name, item in named if name not in _FRAMING]
    if all(name != b"host" for name, _ in named):
        lines.insert(1, b"Host: %b" % request.url.netloc)
    if body_bytes or request.method in _EXPECTS_CONTENT:
        lines.append(b"Content-Length: %d" % body_bytes)
    head = b"\r\n".join([*lines, b"", b""])
    _refuse_smuggling(head, len(lines) + 1)
    return head


def _refuse_smuggling(head: bytes, line_ends: int) -> None:
    """A header value with a line end in it would be a second header, or a second request."""
    if head.count(b"\n") != line_ends or head.count(b"\r") != line_ends or b"\0" in head:
        raise httpx.LocalProtocolError("a method, path or header holds a control character")
