"""The two kinds of stream that cross httpx's seam with more than httpx asks of them."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator

import httpx


class WholeBody(httpx.AsyncByteStream):
    """A request body that is in memory already: our transport takes `data`, any other iterates."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.data


class AbortableStream(httpx.AsyncByteStream, abc.ABC):
    """A response body that can be given up without waiting."""

    @abc.abstractmethod
    def abort(self) -> None:
        """Release or close the connection now. Idempotent."""
