"""OTLP spans as protobuf bytes, written by hand.

Building the same messages with the SDK costs several times the daemon's whole budget for
telemetry (docs/decisions/0008 has the figures). Field numbers are those of
opentelemetry/proto/trace/v1 and common/v1, which are stable; a test compares every span with what
the SDK's own encoder writes.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Sequence
from typing import TypeVar

Value = str | bytes | bool | int | float | Sequence[str] | None
"""What an attribute may hold; bytes are UTF-8 text that is already encoded and is not cut."""

Pair = tuple[str, Value]

MAX_TEXT = 4096
"""Characters of one attribute; what is longer is cut. Opted-in content has its own bound."""

_ATTRIBUTES = b"\x4a"
_RESOURCE_ATTRIBUTES = b"\x0a"
CACHE_ENTRIES = 1024
_UINT64 = 0xFFFFFFFFFFFFFFFF
_HAS_IS_REMOTE = 0x100
_IS_REMOTE = 0x200
_TIMES = struct.Struct("<BQBQ").pack
_DOUBLE = struct.Struct("<d").pack
_FLAGS = struct.Struct("<BBI").pack
_LINK_FLAGS = struct.Struct("<BI").pack
_ERROR_STATUS = b"\x7a\x02\x18\x02"


class SpanKind(enum.IntEnum):
    """`opentelemetry.proto.trace.v1.Span.SpanKind`."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


def _long_varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_VARINTS = tuple(_long_varint(number) for number in range(1024))


def varint(number: int) -> bytes:
    """An unsigned protobuf varint."""
    return _VARINTS[number] if number < 1024 else _long_varint(number)


def framed(tag: bytes, body: bytes) -> bytes:
    """A length-delimited field; `tag` is its number and type, encoded."""
    return tag + varint(len(body)) + body


def _text(text: str) -> bytes:
    # JSON from a provider may hold lone surrogates; a span must not fail for that.
    return text.encode("utf-8", "replace")


class Writer:
    """Encodes attributes and spans; remembers what repeats from span to span."""

    __slots__ = ("_doubles", "_groups", "_ints", "_keys", "_names")

    def __init__(self) -> None:
        self._groups: dict[tuple[Pair, ...], bytes] = {}
        self._names: dict[tuple[str, SpanKind], bytes] = {}
        self._keys: dict[str, bytes] = {}
        self._doubles: dict[str, bytes] = {}
        self._ints: dict[tuple[str, int], bytes] = {}

    def fixed(self, pairs: tuple[Pair, ...]) -> bytes:
        """`pairs` as the attributes of a span, encoded once for all spans that have the same.

        An attribute name must always have one type: 1, True and 1.0 are one key to remember.
        """
        return self._groups.get(pairs) or self._remembered(pairs)

    def varying(self, pairs: Iterable[Pair]) -> bytes:
        """`pairs` as the attributes of a span; None and "" are left out."""
        out = b""
        for name, value in pairs:
            kind = type(value)
            if kind is int:
                number = varint(value & _UINT64)  # type: ignore[operator]
                before = self._ints.get((name, len(number)))
                out += (before or self._before_int(name, number)) + number
            elif kind is float:
                out += (self._doubles.get(name) or self._before_double(name)) + _DOUBLE(value)
            elif value is not None and value != "":
                out += self._key_value(name, value, _ATTRIBUTES)
        return out

    def resource(self, pairs: Iterable[Pair]) -> bytes:
        """The body of a Resource."""
        return b"".join(self._key_value(*pair, _RESOURCE_ATTRIBUTES) for pair in pairs)

    def _remembered(self, pairs: tuple[Pair, ...]) -> bytes:
        encoded = self.varying(pairs)
        _remember(self._groups, pairs, encoded)
        return encoded

    def _before_double(self, name: str) -> bytes:
        """Everything of a double's attribute before its eight bytes."""
        whole = self._key_value(name, 0.0, _ATTRIBUTES)
        before = self._doubles[name] = whole[:-8]
        return before

    def _before_int(self, name: str, number: bytes) -> bytes:
        """Everything of an integer's attribute before the varint `number`; by its length."""
        any_value = b"\x18" + number
        whole = self._encoded(name, any_value, _ATTRIBUTES)
        before = self._ints[name, len(number)] = whole[: -len(number)]
        return before

    def _key_value(self, name: str, value: Value, tag: bytes) -> bytes:
        return self._encoded(name, _any(value), tag)

    def _encoded(self, name: str, any_value: bytes, tag: bytes) -> bytes:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = framed(b"\x0a", name.encode()) + b"\x12"
        return framed(tag, key + varint(len(any_value)) + any_value)

    def _named(self, name: str, kind: SpanKind) -> bytes:
        found = self._names.get((name, kind))
        if found is None:
            found = framed(b"\x2a", _text(name[:MAX_TEXT])) + b"\x30" + varint(kind)
            _remember(self._names, (name, kind), found)
        return found

    def span(
        self,
        ids: tuple[bytes, bytes, bytes],
        name: str,
        kind: SpanKind,
        times: tuple[int, int],
        attributes: bytes,
        *,
        error: bool = False,
        flags: int = 1,
        remote_parent: bool = False,
        extra: bytes = b"",
    ) -> bytes:
        """One span as field 2 of ScopeSpans: `ids` are trace, span and parent (b"" for a root).

        `times` are nanoseconds since the epoch; an end before its start is moved to it.
        `attributes` come from `fixed` and `varying`, `extra` holds further encoded fields of the
        span (links, trace state).
        """
        trace_id, span_id, parent_id = ids
        start, end = times
        body = (
            b"\x0a\x10" + trace_id + b"\x12\x08" + span_id
            + (b"\x22\x08" + parent_id if parent_id else b"")
            + self._named(name, kind)
            + _TIMES(0x39, start, 0x41, max(start, end))
            + attributes
            + extra
            + (_ERROR_STATUS if error else b"")
            + _FLAGS(0x85, 0x01, flags | _HAS_IS_REMOTE | (_IS_REMOTE if remote_parent else 0))
        )  # fmt: skip
        return framed(b"\x12", body)


_K = TypeVar("_K")


def _remember(cache: dict[_K, bytes], key: _K, encoded: bytes) -> None:
    if len(cache) >= CACHE_ENTRIES:
        cache.clear()
    cache[key] = encoded


def trace_state(text: str) -> bytes:
    """Field 3 of a span."""
    return framed(b"\x1a", _text(text)) if text else b""


def link(trace_id: bytes, span_id: bytes, flags: int) -> bytes:
    """Field 13 of a span: a link to another trace's span, which came from outside."""
    sent = _LINK_FLAGS(0x35, flags | _HAS_IS_REMOTE | _IS_REMOTE)
    return framed(b"\x6a", b"\x0a\x10" + trace_id + b"\x12\x08" + span_id + sent)


def _any(value: Value) -> bytes:
    """The body of an AnyValue."""
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + varint(value & _UINT64)
    if isinstance(value, float):
        return b"\x21" + _DOUBLE(value)
    if isinstance(value, str):
        return framed(b"\x0a", _text(value[:MAX_TEXT]))
    if isinstance(value, bytes):
        return framed(b"\x0a", value)
    items = b"".join(framed(b"\x0a", framed(b"\x0a", _text(item))) for item in value or ())
    return framed(b"\x2a", items)


def export_request(resource: bytes, scope: tuple[str, str], schema_url: str, spans: bytes) -> bytes:
    """An ExportTraceServiceRequest: `resource` as made by `Writer.resource`, `scope` is a name and
    a version, `spans` are fields as made by `Writer.span`, one after another."""
    name, version = scope
    about = framed(b"\x0a", _text(name)) + framed(b"\x12", _text(version))
    url = framed(b"\x1a", _text(schema_url)) if schema_url else b""
    scope_spans = framed(b"\x0a", about) + spans + url
    return framed(b"\x0a", framed(b"\x0a", resource) + framed(b"\x12", scope_spans))
