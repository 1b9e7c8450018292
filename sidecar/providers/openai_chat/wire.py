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
    id: str | int | None = None
    function: Function | None = None


class Part(msgspec.Struct):
    """Mistral's content arrays: `thinking` nests further parts."""

    type: str = ""
    text: str | None = None
    thinking: list[Part] | str | None = None


class Detail(msgspec.Struct):
    """An item of `reasoning_details`, in pieces. What was not there is not there when it goes
    back, and what was null is null."""

    type: Any = msgspec.UNSET
    index: Any = msgspec.UNSET
    id: Any = msgspec.UNSET
    text: Any = msgspec.UNSET
    summary: Any = msgspec.UNSET
    data: Any = msgspec.UNSET
    signature: Any = msgspec.UNSET
    format: Any = msgspec.UNSET


class Delta(msgspec.Struct):
    """A delta, or the message of a synchronous answer."""

    content: str | list[Part] | None = None
    reasoning_content: str | None = None
    # What is neither text nor a list of details is nothing that could be told.
    reasoning: str | dict[str, Any] | None = None
    reasoning_details: list[Detail] | dict[str, Any] | str | None = None
    tool_calls: list[ToolPiece] | None = None
    function_call: Function | None = None
    refusal: str | None = None
    # Portkey: Claude's own blocks, beside a `content` that has their text already.
    content_blocks: Any = None


class Choice(msgspec.Struct):
    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    # Moonshot counts here, beside the finish reason, unless asked for a chunk of its own.
    usage: Any = None
    # OpenRouter: what failed upstream, and the upstream's own word for the end.
    error: Any = None
    native_finish_reason: Any = None


class XGroq(msgspec.Struct):
    usage: Any = None


class Chunk(msgspec.Struct):
    """`message` at the top is an error's, in documents that have no `error` object."""

    id: Any = None
    model: Any = None
    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
    x_groq: XGroq | None = None
    provider: Any = None
    message: Any = None


_DECODER = msgspec.json.Decoder(Chunk)
decode = _DECODER.decode


def repaired(data: bytes) -> Chunk | None:
    """What `decode` refuses, where it can be repaired."""
    return loose.repaired(data, _DECODER, Chunk)
