"""Prompt and answer text as the GenAI conventions write it in JSON: used by opt-in only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sidecar.core.request import Completion, ContentPart, ImageUrl, Message, Role, Text
from sidecar.telemetry.record import Output

MAX_BYTES = 65_536
"""Longer content is left out as a whole: half of a JSON text helps nobody."""


def system_instructions(completion: Completion, redact: Callable[[str], str]) -> bytes | None:
    """`gen_ai.system_instructions`, None if there are none."""
    turns = [turn for turn in completion.messages if turn.role is Role.SYSTEM]
    return _json([part for turn in turns for part in _parts(turn)], redact) if turns else None


def input_messages(completion: Completion, redact: Callable[[str], str]) -> bytes | None:
    """`gen_ai.input.messages`: every turn that is not the system's."""
    turns = (turn for turn in completion.messages if turn.role is not Role.SYSTEM)
    return _json([{"role": turn.role.value, "parts": _parts(turn)} for turn in turns], redact)


def tool_definitions(completion: Completion, redact: Callable[[str], str]) -> bytes | None:
    """`gen_ai.tool.definitions`, None if there are none."""
    tools = [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        }
        for tool in completion.tools
    ]
    return _json(tools, redact) if tools else None


def output_messages(
    output: Output, finish_reason: str, redact: Callable[[str], str]
) -> bytes | None:
    """`gen_ai.output.messages`: the one answer."""
    parts: list[dict[str, Any]] = []
    if output.reasoning:
        parts.append({"type": "reasoning", "content": output.reasoning})
    if output.answer:
        parts.append({"type": "text", "content": output.answer})
    parts += [_call(call.id, call.name, call.arguments) for call in output.tool_calls]
    message = {"role": "assistant", "parts": parts, "finish_reason": finish_reason}
    return _json([message], redact)


def _parts(turn: Message) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if turn.reasoning:
        parts.append({"type": "reasoning", "content": turn.reasoning})
    if turn.role is Role.TOOL:
        return [{"type": "tool_call_response", "id": turn.tool_call_id, "response": turn.text}]
    parts += [_part(part) for part in turn.content]
    parts += [_call(call.id, call.name, call.arguments) for call in turn.tool_calls]
    return parts


def _part(part: ContentPart) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "content": part.text}
    if isinstance(part, ImageUrl):
        return {"type": "uri", "modality": "image", "uri": _without_data(part.url)}
    # The bytes of an image are not telemetry; that there was one is.
    return {"type": "blob", "modality": "image", "mime_type": part.media_type, "content": ""}


def _call(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}


def _without_data(url: str) -> str:
    return url.partition(",")[0] if url.startswith("data:") else url


def _json(value: Any, redact: Callable[[str], str]) -> bytes | None:
    # Redacted before it is JSON: quoting could hide a secret from the redactor.
    text = msgspec.json.encode(_redacted(value, redact))
    return text if len(text) <= MAX_BYTES else None


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value).encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _redacted(item, redact) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, redact) for item in value]
    return value
