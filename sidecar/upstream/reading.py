"""Bytes to one response, without I/O: httptools' parser, and the decisions it leaves to its user.

`feed` never raises. It moves the reader from *head* to *body* to `complete`, or to `failure`; after
either it takes nothing more in.
"""

from __future__ import annotations

from typing import Final

import httptools
import httpx
import msgspec

from sidecar.upstream.errors import Disconnected, Malformed
from sidecar.upstream.limits import WireLimits

_SWITCHING_PROTOCOLS: Final = 101
_FIRST_FINAL_STATUS: Final = 200


class Failure(msgspec.Struct, frozen=True):
    """Why a response will not become whole: an exception to be made anew each time it is raised."""

    kind: type[httpx.TransportError]
    text: str

    def exception(self) -> httpx.TransportError:
        return self.kind(self.text)


class _Stop(Exception):
    """Raised in a callback to stop the parser where it is."""


class ResponseReader:
    """The response to one request. `pieces` is the body so far; whoever reads takes them out."""

    def __init__(self, limits: WireLimits, *, expects_body: bool = True) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.head_ready = False
        self.complete = False
        self.keep_alive = False
        self.touched = False
        self.failure: Failure | None = None
        self.pieces: list[bytes] = []
        # The parser calls it for each piece of body: the list's own method costs no frame of ours.
        self.on_body = self.pieces.append
        self._limits = limits
        self._expects_body = expects_body
        self._interim = False
        self._refused = ""
        self._header_bytes = 0
        self._dry_bytes = 0
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take in what the socket gave."""
        if self._parser is None:
            self.keep_alive = False
            return
        self.touched = True
        before = len(self.pieces)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self._refused = self._refused or str(exc)
        self._count_dry(0 if len(self.pieces) > before else len(data))
        if self._refused:
            self._refuse()
        if self.complete:
            self._parser = None

    def end(self, error: BaseException | None) -> None:
        """The connection ended: cleanly (None) or by `error`. Decides whether that was the end."""
        if self.complete or self.failure is not None:
            return
        if not self.touched:
            self.fail(_lost_unanswered(error))
        elif self.head_ready and error is None and self._ends_with_the_connection():
            self.complete = True
        else:
            self.fail(_cut(error))
        self._parser = None

    def fail(self, failure: Failure) -> None:
        """The response will not be whole; the first reason given stays."""
        if not self.complete and self.failure is None:
            self.failure = failure
            self.keep_alive = False
        self._parser = None

    def _refuse(self) -> None:
        self.keep_alive = False
        self.fail(Failure(Malformed, self._refused))

    def _count_dry(self, data_bytes: int) -> None:
        """Endless headers, interim responses, chunk extensions and trailers are all bytes without
        body: one count bounds the four."""
        self._dry_bytes = self._dry_bytes + data_bytes if data_bytes else 0
        if self._dry_bytes > self._limits.head_bytes:
            self._refused = self._refused or "too many bytes without content"

    def _ends_with_the_connection(self) -> bool:
        """RFC 9112, section 6.3, cases 4 and 8: no framing that tells the end."""
        fields = {name.lower(): value.lower() for name, value in self.headers}
        codings = fields.get(b"transfer-encoding")
        if codings is not None:
            return not codings.rstrip().endswith(b"chunked")
        return b"content-length" not in fields

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self.complete:  # bytes behind the response: nobody asked for them
            self.keep_alive = False
            raise _Stop

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_ready:  # a trailer: nothing we need is sent in one
            return
        self.headers.append((name, value))
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > self._limits.head_bytes or len(self.headers) > self._limits.headers:
            self._refused = "the response has more headers than we take"
            raise _Stop

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status == _SWITCHING_PROTOCOLS:
            self._refused = "the provider switched protocols unasked"
            raise _Stop
        if status < _FIRST_FINAL_STATUS:
            self._interim = True
            self.headers.clear()
            return
        self.status = status
        self.head_ready = True
        self.keep_alive = self._expects_body and self._parser.should_keep_alive()
        # The parser does not know that this was a HEAD: the connection is not used again.
        self.complete = not self._expects_body

    def on_message_complete(self) -> None:
        self.complete = self.complete or not self._interim
        self._interim = False


def _lost_unanswered(error: BaseException | None) -> Failure:
    if isinstance(error, BrokenPipeError):
        return Failure(httpx.WriteError, "the connection broke while the request was written")
    if error is not None:
        return Failure(httpx.ReadError, "the connection was reset before a response came")
    return Failure(Disconnected, "the connection was closed before a response came")


def _cut(error: BaseException | None) -> Failure:
    if error is not None:
        return Failure(httpx.ReadError, "the connection was reset inside the response")
    return Failure(httpx.RemoteProtocolError, "the connection was closed inside the response")
