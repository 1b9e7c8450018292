"""A finished stream as bytes, and back: what the cache keeps of a journal."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.core.events import (
    Answer,
    AttemptBegan,
    Completed,
    Event,
    Reasoning,
    Refusal,
    ToolCall,
)
from sidecar.core.failure import Reason, RequestFailed, Violation

KINDS: tuple[type[Any], ...] = (AttemptBegan, Reasoning, Answer, ToolCall, Refusal, Completed)


class Tape(msgspec.Struct, frozen=True, array_like=True):
    """All events of a stream, each with the number of its kind; `failed` is how it ended, if badly.

    `digest` tells equal requests from different ones.
    """

    digest: bytes
    events: list[tuple[int, Any]]
    failed: tuple[str, str, float | None, dict[str, str], list[Violation], str] | None = None


# What a tape holds: digest, events, and how the stream ended, if badly.
Played = tuple[bytes, list[Event], RequestFailed | None]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Tape)


def encode(digest: bytes, events: list[Event], error: RequestFailed | None) -> bytes:
    """The stream as msgpack bytes."""
    rows = [(KINDS.index(type(event)), event) for event in events]
    failed = None
    if error is not None:
        failed = (
            error.reason.value,
            error.message,
            error.retry_after_s,
            error.metadata,
            list(error.violations),
            error.field,
        )
    return _encoder.encode(Tape(digest, rows, failed))


def decode(data: bytes) -> Played:
    """Digest, events and error. Raises msgspec.ValidationError for bytes of another version."""
    tape = _decoder.decode(data)
    events = [msgspec.convert(raw, KINDS[kind]) for kind, raw in tape.events]
    if tape.failed is None:
        return tape.digest, events, None
    reason, message, retry_after_s, metadata, violations, field = tape.failed
    error = RequestFailed(
        Reason(reason),
        message,
        retry_after_s=retry_after_s,
        metadata=metadata,
        violations=tuple(violations),
        field=field,
    )
    return tape.digest, events, error
