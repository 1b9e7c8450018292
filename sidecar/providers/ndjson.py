"""One JSON document a line, as Ollama's native door streams."""

from __future__ import annotations

from sidecar.providers.sse import MAX_EVENT_BYTES, Framed


class LineFramer:
    """Bytes in, lines out as plain events; blank lines count as keep-alives.

    `overflow` turns True when one line grew beyond `max_bytes`; nothing is returned any more.
    """

    __slots__ = ("_buffer", "_max", "keepalives", "overflow")

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._buffer = bytearray()
        self._max = max_bytes
        self.keepalives = 0
        self.overflow = False

    def feed(self, data: bytes) -> bytes | Framed:
        """Take some bytes; return the lines they complete."""
        if self.overflow:
            return []
        if not self._buffer and data[:1] == b"{" and data.find(b"\n") == len(data) - 1:
            return data[:-1]
        if not self._buffer and data.endswith(b"\n"):
            return self._lines(data[:-1])
        border = data.rfind(b"\n")
        self._buffer += data
        if border < 0:
            return self._bound([])
        end = len(self._buffer) - len(data) + border
        whole = bytes(memoryview(self._buffer)[:end])
        del self._buffer[: end + 1]
        return self._bound(self._lines(whole))

    def end(self) -> Framed:
        """Take the end of the body: a last line needs no line end."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        return self._lines(rest) if rest else []

    def _bound(self, events: Framed) -> Framed:
        if len(self._buffer) > self._max:
            self.overflow = True
            self._buffer = bytearray()
        return events

    def _lines(self, whole: bytes) -> Framed:
        events: Framed = []
        for line in whole.split(b"\n"):
            if line and not line.isspace():
                events.append(line)
            else:
                self.keepalives += 1
        return events
