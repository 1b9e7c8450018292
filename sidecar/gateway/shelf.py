"""What pods that share a cache know of a stream that runs: who writes it, and what it has said.

Four kinds of keys for a stream:

* the whole, once it is over: `stream:ID`;
* its owner's lease: `stream:ID:owner` holds the owner's mark and lives `LEASE_S` unless renewed;
* its head: which request it belongs to, and whose chunks hold its text;
* chunks, written one after the other by the owner under its own mark: what a pod writes that has
  lost its lease without noticing is read by nobody.
"""

from __future__ import annotations

import uuid

import msgspec

from sidecar.cache.store import Cache
from sidecar.core.events import Event
from sidecar.gateway import tape

# A pod that was killed loses its streams after this, seconds (limits reference 5.3: within 15 s).
LEASE_S = 10.0
# How long what a killed pod had written can be picked up: a stream may run for so long that its
# first chunks are old, seconds.
ORPHAN_S = 3600.0
# A reader on another pod is believed to be there for this long after it last said so, seconds.
READING_S = 9.0


class Head(msgspec.Struct, frozen=True, array_like=True):
    """`digest` of the request, and the mark of the pod whose chunks count."""

    digest: bytes
    mark: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Head)


class Shelf:
    """The keys of all streams in one cache, as one pod uses them."""

    def __init__(self, cache: Cache, keep_s: float) -> None:
        self._cache = cache
        self._keep_s = keep_s
        self.mark = uuid.uuid4().hex
        self.shared = cache.shared

    # -- the whole ---------------------------------------------------------------------------

    async def whole(self, name: str) -> tape.Played | None:
        """A stream that is over; None if it is not, or not known any more."""
        return _played(await self._cache.get(_whole(name)))

    async def keep(self, name: str, data: bytes) -> None:
        await self._cache.set(_whole(name), data, self._keep_s)

    # -- the lease ---------------------------------------------------------------------------

    async def claim(self, name: str) -> bool | None:
        """Become the owner: are we now? None if nobody can tell, the cache being away."""
        return await self._cache.add(_owner(name), self.mark.encode(), LEASE_S)

    async def renew(self, name: str) -> bool | None:
        """Stay the owner: are we still? None as `claim`."""
        held = await self._cache.prolong(_owner(name), self.mark.encode(), LEASE_S)
        if held is not False or await self._cache.get(_owner(name)) is not None:
            return held
        # It ran out; ours again, unless somebody has been there meanwhile.
        head = await self.head(name)
        return await self.claim(name) if head is not None and head.mark == self.mark else False

    async def owner(self, name: str) -> str | None:
        """The mark of whoever owns the stream now."""
        data = await self._cache.get(_owner(name))
        return data.decode() if data is not None else None

    async def release(self, name: str) -> None:
        """Own it no longer."""
        if await self._cache.prolong(_owner(name), self.mark.encode(), LEASE_S):
            await self._cache.delete(_owner(name))

    # -- the text so far ---------------------------------------------------------------------

    async def head(self, name: str) -> Head | None:
        data = await self._cache.get(_head(name))
        try:
            return None if data is None else _decoder.decode(data)
        except msgspec.MsgspecError:
            return None

    async def begin(self, name: str, digest: bytes) -> None:
        """Say that from now on our chunks count."""
        await self._cache.set(_head(name), _encoder.encode(Head(digest, self.mark)), ORPHAN_S)

    async def write(self, name: str, number: int, events: list[Event]) -> bool:
        """Add our chunk `number` (0, 1, ...); False if it may not have arrived."""
        data = tape.encode(b"", events, None)
        return await self._cache.set(_chunk(name, self.mark, number), data, ORPHAN_S)

    async def chunk(self, name: str, mark: str, number: int) -> list[Event] | None:
        """Chunk `number` of `mark`, or None as long as there is none."""
        played = _played(await self._cache.get(_chunk(name, mark, number)))
        return None if played is None else played[1]

    async def text(self, name: str, mark: str) -> list[Event]:
        """Everything that `mark` has written of the stream."""
        events: list[Event] = []
        number = 0
        while (chunk := await self.chunk(name, mark, number)) is not None:
            events += chunk
            number += 1
        return events

    async def clear(self, name: str, chunks: int) -> None:
        """Forget the head and our first `chunks` chunks: the whole is kept, or nobody wants it."""
        await self._cache.delete(_head(name))
        for number in range(chunks):
            await self._cache.delete(_chunk(name, self.mark, number))

    # -- readers elsewhere -------------------------------------------------------------------

    async def read_here(self, name: str) -> None:
        """Tell the owner that somebody reads its stream from another pod."""
        await self._cache.set(_reader(name), b"1", READING_S)

    async def read_elsewhere(self, name: str) -> bool:
        """Does somebody?"""
        return await self._cache.get(_reader(name)) is not None


def _played(data: bytes | None) -> tape.Played | None:
    if data is None:
        return None
    try:
        return tape.decode(data)
    except (msgspec.MsgspecError, IndexError, ValueError):
        return None  # of another version: a miss


# The braces let a Redis Cluster keep all keys of a stream together.
def _whole(name: str) -> str:
    return f"stream:{name}"


def _owner(name: str) -> str:
    return f"stream:{{{name}}}:owner"


def _head(name: str) -> str:
    return f"stream:{{{name}}}:head"


def _reader(name: str) -> str:
    return f"stream:{{{name}}}:reader"


def _chunk(name: str, mark: str, number: int) -> str:
    return f"stream:{{{name}}}:{mark}:{number}"
