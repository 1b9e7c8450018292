"""The exceptions of the fast transport: httpx's own, made finer where httpx has one for two things.

Each is a subclass of what the stock transport raises in the same place, so callers of httpx need to
know none of them.
"""

from __future__ import annotations

import httpx


class Disconnected(httpx.RemoteProtocolError):
    """The connection ended before one byte of the response came."""


class NeverProcessed(Disconnected):
    """A reused connection was closed, and the peer's kernel never took in a byte of the request.

    The only failure after which the transport itself sends the same request again.
    """


class Malformed(httpx.RemoteProtocolError):
    """The peer does not speak HTTP/1.1, or more of it than our limits allow.

    The text is one of the parser's or ours and never holds a byte of what was received.
    """
