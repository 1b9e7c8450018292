"""Event-stream framing by the WHATWG standard, in bulk.

Beyond the standard, lines that it would silently drop are kept as `stray`, because that is where
some providers put their errors: unknown fields (`error: {...}`) and bare JSON after the last event.
"""

from __future__ import annotations

import re

import msgspec

BOM = b"\xef\xbb\xbf"
# The largest event seen is an image of some MB in a Gemini part; a text event stays under 1 MB.
MAX_EVENT_BYTES = 16 * 1024 * 1024
MAX_STRAY_BYTES = 64 * 1024

LF = 0x0A
# An event with a name and one line of data: alone in its read, or one of those between two blank
# lines, of which the last one is not there.
_ALONE = re.compile(rb"event: (?!error)[^\n]*\ndata: ([^\n]+)\n\n").fullmatch
_NAMED = re.compile(rb"^event: (?!error)[^\n]*\ndata: ([^\n]*)(?:\n\n|\Z)", re.MULTILINE)


class Event(msgspec.Struct):
    """One event that needs a closer look than its data: a name that says `error`, or lines that no
    SSE field claims (`stray`, joined by LF). Any other event is its data and nothing else."""

    data: bytes
    name: bytes = b""
    stray: bytes = b""


Framed = list[bytes | Event]


class SseFramer:
    """Bytes in, events out; keeps what is incomplete.

    `keepalives` counts comments. `overflow` turns True when one event grew beyond `max_bytes`;
    the framer then holds nothing and returns nothing any more.
    """

    __slots__ = (
        "_buffer",
        "_cr",
        "_held",
        "_max",
        "_scanned",
        "_started",
        "keepalives",
        "overflow",
    )

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._max = max_bytes
        self._cr = False
        # Is there anything of the bytes before that bears on the next ones?
        self._held = False
        self._started = False
        self._scanned = 0
        self.keepalives = 0
        self.overflow = False

    def feed(self, data: bytes) -> bytes | Framed:
        """Take some bytes; return the events they complete."""
        carriage = data.find(b"\r")
        if not self._held:
            # One event, whole, in one read: the way of nearly every token.
            if data[:6] == b"data: ":
                newline = data.find(b"\n")
                if carriage < 0 and newline == len(data) - 2 > 6 and data[-1] == LF:
                    self._started = True
                    return data[6:-2]
                if newline == len(data) - 3 == carriage + 1 > 7 and data[-2:] == b"\r\n":
                    self._started = True
                    return data[6:-4]
            elif carriage < 0 and (named := _ALONE(data)) is not None:
                self._started = True
                return named[1]
        if self._cr or carriage >= 0:
            data = self._unix(data)
        if not self._held and data[-2:] == b"\n\n" and data[0] != BOM[0]:
            self._started = True
            return self._split(data[:-2])
        events = self._buffered(data)
        self._held = self._cr or self.overflow or bool(self._buffer)
        return events

    def end(self) -> Framed:
        """Take the end of the body. An unterminated last event is given out as it is.

        The standard discards it; here the decoder decides: a whole JSON document is believed, a
        torn one shows that the stream was cut.
        """
        if not self._held:
            return []
        rest, self._buffer = bytes(self._buffer), bytearray()
        self._held = False
        self._scanned = 0
        if not self._started:
            rest = rest.removeprefix(BOM)
        return self._split(rest)

    def _unix(self, data: bytes) -> bytes:
        """CRLF and CR become LF. A CR ends its line at once; an LF right after it is swallowed."""
        if self._cr and data:
            self._cr = False
            data = data.removeprefix(b"\n")
        if b"\r" in data:
            self._cr = data.endswith(b"\r")
            # Splitting at one byte is many times faster than replacing two.
            head, *rest = data.split(b"\r")
            data = b"\n".join([head, *[part.removeprefix(b"\n") for part in rest]])
        return data

    def _buffered(self, data: bytes) -> Framed:
        if self.overflow:
            return []
        buffer = self._buffer
        buffer += data
        if not self._started and not self._start():
            return []
        # The blank line may lie across the border: one byte of what was scanned is looked at again.
        border = buffer.rfind(b"\n\n", max(self._scanned - 1, 0))
        if border < 0:
            self._scanned = len(buffer)
            self._drop_comments()
            self._bound()
            return []
        whole = bytes(memoryview(buffer)[:border])
        del buffer[: border + 2]
        self._scanned = len(buffer)
        self._drop_comments()
        self._bound()
        return self._split(whole)

    def _start(self) -> bool:
        """Strip the byte order mark, which may come in pieces; False while it still may."""
        buffer = self._buffer
        if len(buffer) < len(BOM) and BOM.startswith(buffer):
            return False
        if buffer.startswith(BOM):
            del buffer[: len(BOM)]
        self._started = True
        return True

    def _bound(self) -> None:
        if len(self._buffer) > self._max:
            self.overflow = True
            self._started = False
            self._buffer = bytearray()

    def _drop_comments(self) -> None:
        """Count whole comment lines at once: some servers never send the blank line after them."""
        buffer = self._buffer
        while buffer[:1] == b":":
            line = buffer.find(b"\n")
            if line < 0:
                return
            self.keepalives += 1
            del buffer[: line + 1]
            self._scanned = len(buffer)

    def _split(self, whole: bytes) -> Framed:
        """The events of whole blocks, with blank lines between them."""
        texts = _plain(whole)
        if texts is not None:
            return texts
        events: Framed = []
        for block in whole.split(b"\n\n"):
            if block[:6] == b"data: " and block.find(b"\n") < 0:
                events.append(block[6:])
            elif block and (event := self._slow(block)) is not None:
                events.append(event)
        return events

    def _slow(self, block: bytes) -> bytes | Event | None:
        """Any block, line by line. None if there is nothing in it to tell."""
        data: list[bytes] = []
        stray: list[bytes] = []
        name = b""
        for line in block.split(b"\n"):
            field, colon, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ")
            elif colon and not field:
                self.keepalives += 1
            elif line.strip() and field not in (b"id", b"retry"):
                stray.append(line)
        if stray or (data and name == b"error"):
            return Event(b"\n".join(data), name, b"\n".join(stray)[:MAX_STRAY_BYTES])
        return b"\n".join(data) if data else None


def _plain(whole: bytes) -> Framed | None:
    """The data of blocks that all look alike: one line of data each, or a name before it."""
    if whole[:6] == b"data: ":
        texts, lines = whole[6:].split(b"\n\ndata: "), 2
    else:
        texts, lines = _NAMED.findall(whole), 3
    return texts if whole.count(b"\n") == lines * len(texts) - 2 else None  # type: ignore[return-value]
