"""Event-stream framing by the WHATWG standard, in bulk.

Beyond the standard, lines that it would silently drop are kept as `stray`, because that is where
some providers put their errors: unknown fields (`error: {...}`) and bare JSON after the last event.
"""

from __future__ import annotations

import msgspec

BOM = b"\xef\xbb\xbf"
# The largest event seen is an image of some MB in a Gemini part; a text event stays under 1 MB.
MAX_EVENT_BYTES = 16 * 1024 * 1024
MAX_STRAY_BYTES = 64 * 1024


class Event(msgspec.Struct):
    """One dispatched event. `stray` holds the lines no SSE field claims, joined by LF."""

    data: bytes
    name: bytes = b""
    stray: bytes = b""


class SseFramer:
    """Bytes in, events out; keeps what is incomplete.

    `keepalives` counts comments. `overflow` turns True when one event grew beyond `max_bytes`;
    the framer then holds nothing and returns nothing any more.
    """

    __slots__ = ("_buffer", "_cr", "_max", "_scanned", "_started", "keepalives", "overflow")

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._max = max_bytes
        self._cr = False
        self._started = False
        self._scanned = 0
        self.keepalives = 0
        self.overflow = False

    def feed(self, data: bytes) -> list[Event]:
        """Take some bytes; return the events they complete."""
        between = self._started and not self._buffer and not self._cr
        if between:
            # One event, whole, in one read: the way of nearly every token.
            alone = _alone(data)
            if alone is not None:
                return [alone]
        if self._cr or b"\r" in data:
            data = self._unix(data)
        if not between or data[-2:] != b"\n\n":
            return self._buffered(data)
        return self._split(data[:-2])

    def end(self) -> list[Event]:
        """Take the end of the body. An unterminated last event is given out as it is.

        The standard discards it; here the decoder decides: a whole JSON document is believed, a
        torn one shows that the stream was cut.
        """
        rest, self._buffer = bytes(self._buffer), bytearray()
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

    def _buffered(self, data: bytes) -> list[Event]:
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

    def _split(self, whole: bytes) -> list[Event]:
        events = []
        for block in whole.split(b"\n\n"):
            line = block.find(b"\n")
            if line < 0 and block[:6] == b"data: ":
                events.append(Event(block[6:]))
            elif (
                block[:7] == b"event: "
                and block[line : line + 7] == b"\ndata: "
                and (block.find(b"\n", line + 1) < 0)
            ):
                events.append(Event(block[line + 7 :], block[7:line]))
            elif block and (event := self._slow(block)) is not None:
                events.append(event)
        return events

    def _slow(self, block: bytes) -> Event | None:
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
        if not data and not stray:
            return None
        return Event(b"\n".join(data), name, b"\n".join(stray)[:MAX_STRAY_BYTES])


def _alone(data: bytes) -> Event | None:
    """`data` as the one event it is; None if it is anything else, or needs a closer look."""
    end = data.find(b"\n")
    if data[:6] == b"data: ":
        if end == len(data) - 2 and data[-1:] == b"\n" and b"\r" not in data:
            return Event(data[6:-2])
        if data[end - 1 :] == b"\r\n\r\n" and data.find(b"\r") == end - 1:
            return Event(data[6 : end - 1])
        return None
    named = data[end : end + 7] == b"\ndata: " and data[:7] == b"event: "
    if named and data.find(b"\n", end + 1) == len(data) - 2 and data[-1:] == b"\n":
        return None if b"\r" in data else Event(data[end + 7 : -2], data[7:end])
    return None
