"""The parts of a chat chunk (or document) that anybody reads; all else is skipped undecoded."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.providers import loose


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
    usage: Any = None


class Chunk(msgspec.Struct):
    """`message` at the top is an error's, in documents that have no `error` object."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
    x_groq: XGroq | None = None
    provider: Any = None
    message: Any = None


_DECODER = msgspec.json.Decoder(Chunk)
decode = _DECODER.decode


def decode_loosely(data: bytes) -> Chunk:
    """What `decode` refuses, where it can be repaired. Raises ValueError where it cannot."""
    return loose.typed(data, _DECODER, Chunk)
