"""The parts of a chat chunk (or document) that anybody reads; all else is skipped undecoded."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.providers import loose

RAW_NONE = (b"", b"null")


class Function(msgspec.Struct):
    name: str | None = None
    # Some gateways send the arguments as an object instead of JSON text.
    arguments: str | dict[str, Any] | None = None


class ToolPiece(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Part(msgspec.Struct):
    """Mistral's content arrays: `thinking` nests further parts."""

    type: str = ""
    text: str | None = None
    thinking: list[Part] | str | None = None


class Delta(msgspec.Struct):
    """A delta, or the message of a synchronous answer."""

    content: str | list[Part] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: list[ToolPiece] | None = None
    function_call: Function | None = None
    refusal: str | None = None


class Choice(msgspec.Struct):
    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None


class XGroq(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


class Chunk(msgspec.Struct):
    """`object` tells an error document from a chunk where the error has no object of its own."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    x_groq: XGroq | None = None
    provider: str | dict[str, Any] | None = None
    object: str | None = None
    message: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(Chunk)


def chunk(data: bytes) -> Chunk:
    """One chunk or document. Raises ValueError if it is not JSON or not of this shape."""
    try:
        return _DECODER.decode(data)
    except (ValueError, RecursionError):
        return loose.typed(data, _DECODER, Chunk)


def told(raw: msgspec.Raw) -> bool:
    """True if the field was there and not null."""
    return bytes(raw) not in RAW_NONE
