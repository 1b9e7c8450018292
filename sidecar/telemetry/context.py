"""W3C trace context: what came with a request, whether it is recorded, what goes to a provider."""

from __future__ import annotations

import random
import re

import msgspec

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16
_SAMPLED = 1
_KNOWN_FLAGS = 3
_MAX_TRACE_STATE = 512
"""W3C trace context 3.3.1.5: at least this many characters are to be passed on."""


class Context(msgspec.Struct, frozen=True):
    """Where a request's spans belong: `parent_id` is b"" for the root of a new trace.

    `trace_state` is the caller's, unchanged; `flags` are W3C's, bit 0 says sampled.
    """

    trace_id: bytes
    parent_id: bytes
    flags: int
    trace_state: str = ""

    @property
    def sampled(self) -> bool:
        return bool(self.flags & _SAMPLED)


def continued(traceparent: str, tracestate: str) -> Context | None:
    """The caller's context, or None if there is none or it is not valid (then it is ignored).

    Versions above 00 are read as far as version 00 goes, as W3C trace context 4.3 asks.
    """
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    version, trace_id, parent_id, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or trace_id == _NO_TRACE:
        return None
    if parent_id == _NO_SPAN:
        return None
    state = tracestate if len(tracestate) <= _MAX_TRACE_STATE else ""
    known = int(flags, 16) & _KNOWN_FLAGS
    return Context(bytes.fromhex(trace_id), bytes.fromhex(parent_id), known, state)


def begun(trace_id: bytes, sample_ratio: float) -> Context:
    """A new trace: sampled if the last 8 bytes of its id fall below the ratio.

    The rule of the SDKs' TraceIdRatioBased sampler, so that every process decides alike.
    """
    sampled = int.from_bytes(trace_id[8:], "big") < round(sample_ratio * 2**64)
    return Context(trace_id, b"", _SAMPLED if sampled else 0)


def traceparent(trace_id: bytes, span_id: bytes, flags: int) -> str:
    """The header that names a span as the parent of what the receiver does."""
    return f"00-{trace_id.hex()}-{span_id.hex()}-{flags:02x}"


class Ids:
    """Random ids, drawn in bulk: a draw from the operating system costs more than all its bytes."""

    __slots__ = ("_at", "_rng", "_store")

    _BULK = 4096

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._store = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """`size` random bytes, at most 4096, never handed out before."""
        end = self._at + size
        if end > len(self._store):
            self._store = self._rng.randbytes(self._BULK)
            self._at, end = 0, size
        taken = self._store[self._at : end]
        self._at = end
        return taken
