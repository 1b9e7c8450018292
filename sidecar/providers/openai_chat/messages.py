"""The messages of a chat completion request."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from sidecar.core.request import (
    Completion,
    ContentPart,
    Image,
    ImageUrl,
    Message,
    Prefix,
    Role,
    Text,
)
from sidecar.providers import signature
from sidecar.providers.dialect import Unsupported
from sidecar.providers.openai_chat.details import DIALECT
from sidecar.providers.options import Body
from sidecar.providers.profiles import Quirks, TargetProfile
from sidecar.providers.think import CLOSING

_ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Mistral refuses tool call ids that are not nine letters and digits.
_MISTRAL_ID_CHARS = 9


def messages_of(completion: Completion, target: TargetProfile, thinks: bool) -> list[Any]:
    """All turns, in order."""
    in_tools = bool(completion.tools) or any(turn.tool_calls for turn in completion.messages)
    return [_message(turn, target.quirks, thinks, in_tools) for turn in completion.messages]


def prefix_message(prefix: Prefix, target: TargetProfile, thinks: bool, body: Body) -> Any:
    """The last, partial assistant turn that the target is to continue.

    Raises Unsupported if the target takes no prefix, or none of what there is.
    """
    style = target.quirks.prefix
    if target.resume == "none":
        raise Unsupported("prefix", f"{target.model} takes no partial answer")
    if target.thoughts_in_text:
        return {"role": "assistant", "content": _in_text(prefix), **style.message}
    message: dict[str, Any] = {"role": "assistant", "content": prefix.answer, **style.message}
    if prefix.reasoning and target.takes_reasoning_prefix and thinks:
        message[style.reasoning_field] = prefix.reasoning
    elif not prefix.answer:
        raise Unsupported("prefix", f"{target.model} takes no partial chain of thought")
    elif prefix.reasoning:
        body.drop("prefix.reasoning")
    return message


def _in_text(prefix: Prefix) -> str:
    """The whole turn so far as the model wrote it behind the tag that its template opens."""
    return f"{prefix.reasoning}{CLOSING[0]}{prefix.answer}" if prefix.answer else prefix.reasoning


def _message(turn: Message, quirks: Quirks, thinks: bool, in_tools: bool) -> dict[str, Any]:
    if turn.role is Role.ASSISTANT:
        return _assistant(turn, quirks, thinks, in_tools)
    content = _content(turn.content)
    if turn.role is Role.TOOL:
        if not isinstance(content, str):
            raise Unsupported("messages", "a tool's result may hold only text here")
        call = _tool_id(turn.tool_call_id, quirks)
        return {"role": "tool", "tool_call_id": call, "content": content}
    role = quirks.system_role if turn.role is Role.SYSTEM else "user"
    return {"role": role, "content": content}


def _assistant(turn: Message, quirks: Quirks, thinks: bool, in_tools: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": turn.text}
    if turn.tool_calls:
        message["content"] = turn.text or None
        message["tool_calls"] = [
            {
                "id": _tool_id(call.id, quirks),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments or "{}"},
            }
            for call in turn.tool_calls
        ]
    if quirks.replay == "text" and thinks and in_tools:
        # DeepSeek refuses a tool turn without its reasoning; a blank is the least it accepts.
        reasoning = turn.reasoning or (" " if turn.tool_calls else "")
        if reasoning:
            message["reasoning_content"] = reasoning
    elif quirks.replay == "details":
        details = signature.unpack(turn.signature, DIALECT)
        if isinstance(details, list):
            message["reasoning_details"] = details
        elif turn.reasoning:
            message["reasoning"] = turn.reasoning
    return message


def _content(parts: tuple[ContentPart, ...]) -> str | list[Any]:
    if all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [_part(part) for part in parts]


def _part(part: ContentPart) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": _image(part)}


def _image(part: ImageUrl | Image) -> dict[str, str]:
    if isinstance(part, Image):
        data = base64.b64encode(part.data).decode()
        return {"url": f"data:{part.media_type};base64,{data}"}
    return {"url": part.url, "detail": part.detail} if part.detail else {"url": part.url}


def _tool_id(id: str, quirks: Quirks) -> str:
    """The id as the provider accepts it; the same id always becomes the same."""
    if quirks.tool_ids == "any" or _mistral_id(id):
        return id
    digest = hashlib.sha256(id.encode("utf-8", "replace")).digest()
    return "".join(_ALNUM[byte % len(_ALNUM)] for byte in digest[:_MISTRAL_ID_CHARS])


def _mistral_id(id: str) -> bool:
    return len(id) == _MISTRAL_ID_CHARS and id.isascii() and id.isalnum()
