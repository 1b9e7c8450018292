"""The inbox: an append-only file that takes entries at once, before SQLite gets them in batches.

One `write` puts an entry into the page cache, where it survives any death of the process (not a
loss of power): 5 us instead of the 37 us of a SQLite commit, and no fsync in the loop ever
(docs/decisions/0006-ledger.md). A position (segment, offset) is stored in SQLite together with the
entries before it, so each entry is taken over exactly once.

Segments are files `<ledger>.inbox.<number>`: a mark, then frames of kind, length, CRC-32, payload.
A write that a kill cut short leaves a torn frame; nobody was told of it, and reading ends there.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from sidecar.ledger.entry import Entry, sane

MARK = b"HWLEDG1\n"
HELD = 0
FINAL = 1
_HEAD = struct.Struct("<BII")
# One segment is read whole at a start; 1 MiB is some 2,000 entries and 10 ms of reading.
SEGMENT_BYTES = 1 << 20

_decoder = msgspec.msgpack.Decoder(Entry)
_encode = msgspec.msgpack.Encoder().encode


class Position(NamedTuple):
    """A place in the inbox; what is before it is in SQLite."""

    segment: int
    offset: int


START = Position(0, 0)


class UnreadableInbox(Exception):
    """A segment, or a whole frame in it, that this version cannot read."""


class Framed(NamedTuple):
    """An entry as it was read: where it ends, and whether it is final or held."""

    end: Position
    final: bool
    entry: Entry


def frame(entry: Entry, final: bool) -> bytes:
    """The bytes of one entry."""
    try:
        payload = _encode(entry)
    except (UnicodeEncodeError, OverflowError):
        payload = _encode(sane(entry))
    return _HEAD.pack(FINAL if final else HELD, len(payload), zlib.crc32(payload)) + payload


def segments(ledger: Path) -> list[tuple[int, Path]]:
    """The segments there are, oldest first."""
    prefix = f"{ledger.name}.inbox."
    names = [path.name for path in ledger.parent.iterdir() if path.name.startswith(prefix)]
    numbers = [name.removeprefix(prefix) for name in names]
    return sorted((int(n), segment(ledger, int(n))) for n in numbers if n.isdecimal())


def segment(ledger: Path, number: int) -> Path:
    """The file of one segment."""
    return ledger.with_name(f"{ledger.name}.inbox.{number}")


def read(number: int, path: Path, offset: int = 0, end: int | None = None) -> Iterator[Framed]:
    """The whole frames of one segment from `offset` up to `end`; stops before a torn one.

    Raises UnreadableInbox if another version wrote it, OSError if the disk fails.
    """
    with path.open("rb") as file:
        mark = file.read(len(MARK))
        if mark != MARK[: len(mark)]:
            raise UnreadableInbox(f"{path.name} is not an inbox that this Headway reads")
        place = max(offset, len(MARK))
        file.seek(place)
        data = file.read() if end is None else file.read(max(end - place, 0))
    yield from _frames(number, place, data)


def _frames(number: int, place: int, data: bytes) -> Iterator[Framed]:
    at = 0
    while at + _HEAD.size <= len(data):
        kind, length, crc = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + length]
        # No entry is empty, but a file that lost power may end in zeros.
        if not length or len(payload) < length or zlib.crc32(payload) != crc:
            return
        at += _HEAD.size + length
        yield Framed(Position(number, place + at), kind == FINAL, _decoded(payload))


def _decoded(payload: bytes) -> Entry:
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise UnreadableInbox(f"the inbox holds an entry of another version: {error}") from error


class Inbox:
    """The segment being written. Every method raises OSError if the disk does."""

    def __init__(self, ledger: Path, number: int, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._ledger = ledger
        self._segment_bytes = segment_bytes
        self._torn = False
        self._fd = -1
        self._open(number, b"")

    @property
    def position(self) -> Position:
        """The end of what was written."""
        return Position(self._number, self._size)

    @property
    def full(self) -> bool:
        """Whether the next frames should go to a new segment."""
        return self._torn or self._size - self._begun_with >= self._segment_bytes

    def append(self, data: bytes) -> None:
        """Write frames, all or none. When this returns, a kill cannot lose them."""
        if self._torn:
            raise OSError("the inbox has a torn end")
        written = os.write(self._fd, data)
        if written < len(data):
            self._mend()
            raise OSError("the disk took only a part of an entry")
        self._size += written

    def rotate(self, carried: bytes) -> None:
        """Begin a new segment with `carried`: the frames that are still held."""
        self._open(self._number + 1, carried)

    def read_from(self, position: Position, end: Position) -> Iterator[Framed]:
        """The frames between two positions of this inbox, over all segments."""
        for number, path in segments(self._ledger):
            if position.segment <= number <= end.segment:
                offset = position.offset if number == position.segment else 0
                yield from read(number, path, offset, end.offset if number == end.segment else None)

    def discard_before(self, number: int) -> None:
        """Delete the segments before `number`."""
        for older, path in segments(self._ledger):
            if older < number:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self, number: int, carried: bytes) -> None:
        # O_NONBLOCK means nothing for a file, but says to tools that watch for blocking calls
        # that this one goes to the page cache.
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(segment(self._ledger, number), flags, 0o600)
        start = MARK + carried
        try:
            if os.write(fd, start) < len(start):
                raise OSError("no room for a new segment of the inbox")
        except OSError:
            os.close(fd)
            raise
        self.close()
        self._fd, self._number, self._torn = fd, number, False
        # What was carried over does not count, or many long attempts would fill every segment.
        self._size = self._begun_with = len(start)

    def _mend(self) -> None:
        self._torn = True
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._size)
            self._torn = False
