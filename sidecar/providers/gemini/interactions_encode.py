"""Encoding a completion as an interaction: stateless, the history as a list of steps."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from sidecar.core.request import Completion, ContentPart, Image, Message, Prefix, Role, Text, Tool
from sidecar.providers import auth, options, signature
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.gemini.encode import object_of
from sidecar.providers.gemini.interactions_decode import DIALECT
from sidecar.providers.options import Body
from sidecar.providers.profiles import TargetProfile

PATH = "/interactions"
_MODES = {"auto": "auto", "none": "none", "required": "any"}


def encode(
    completion: Completion, target: TargetProfile, prefix: Prefix | None, key: str, stream: bool
) -> HttpCall:
    """The call. Raises Unsupported; see `Dialect.encode`."""
    if prefix is not None:
        raise Unsupported("prefix", f"{target.model} takes no partial answer")
    options.check(completion, target)
    body = Body()
    thinks = options.reasoning(completion, target, body)
    if thinks:
        summaries = "auto" if completion.reasoning.deliver else "none"
        body.put("generation_config.thinking_summaries", summaries)
    head: dict[str, Any] = {"model": target.upstream_model, "input": _steps(completion)}
    system = "\n\n".join(m.text for m in completion.messages if m.role is Role.SYSTEM)
    if system:
        head["system_instruction"] = system
    body.fields = {**head, **body.fields}
    _config(completion, target, thinks, body)
    _tools(completion, body)
    _format(completion, target, body)
    body.fields["stream"] = stream
    body.fields["store"] = False
    body.merge(target.quirks.body)
    body.fields.update(options.plain_options(completion.provider_options))
    return HttpCall(
        target.quirks.path or PATH,
        auth.headers(target, key, stream),
        msgspec.json.encode(body.fields),
        tuple(body.dropped),
    )


def _steps(completion: Completion) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    for message in completion.messages:
        if message.role is Role.USER:
            steps.append({"type": "user_input", "content": _contents(message)})
        elif message.role is Role.ASSISTANT:
            steps += _assistant(message)
        elif message.role is Role.TOOL:
            result = {"type": "function_result", "call_id": message.tool_call_id}
            steps.append({**result, "result": message.text})
    return steps


def _assistant(message: Message) -> list[dict[str, Any]]:
    kept = signature.unpack(message.signature, DIALECT)
    thoughts = [item for item in kept if isinstance(item, dict)] if isinstance(kept, list) else []
    steps = _thoughts(thoughts, 0)
    if message.text:
        steps.append({"type": "model_output", "content": _contents(message)})
    for index, call in enumerate(message.tool_calls):
        if index:
            steps += _thoughts(thoughts, index)
        made = {"type": "function_call", "id": call.id, "name": call.name}
        steps.append({**made, "arguments": object_of(call.arguments or "{}")})
    return steps


def _thoughts(thoughts: list[dict[str, Any]], index: int) -> list[dict[str, Any]]:
    return [
        {"type": "thought", "signature": thought["signature"]}
        for thought in thoughts
        if thought.get("at", 0) == index and isinstance(thought.get("signature"), str)
    ]


def _contents(message: Message) -> list[dict[str, Any]]:
    return [_content(part) for part in message.content if not isinstance(part, Text) or part.text]


def _content(part: ContentPart) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image):
        return _image(part.media_type, base64.b64encode(part.data).decode())
    inline = options.image_address(part)
    return {"type": "image", "uri": part.url} if inline is None else _image(*inline)


def _image(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "image", "mime_type": media_type, "data": data}


def _config(completion: Completion, target: TargetProfile, thinks: bool, body: Body) -> None:
    for name, value in options.tuning(completion, target, thinks, body).items():
        body.put(f"generation_config.{name}", value)
    if completion.max_tokens is not None:
        body.put("generation_config.max_output_tokens", completion.max_tokens)
    if completion.stop:
        body.put("generation_config.stop_sequences", list(completion.stop))


def _tools(completion: Completion, body: Body) -> None:
    if not completion.tools:
        return
    body.fields["tools"] = [_tool(tool) for tool in completion.tools]
    choice = completion.tool_choice
    if choice is None:
        return
    wanted: Any = _MODES.get(choice.mode)
    if choice.mode == "named":
        wanted = {"allowed_tools": {"mode": "any", "tools": [choice.name]}}
    body.put("generation_config.tool_choice", wanted)


def _tool(tool: Tool) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        made["description"] = tool.description
    made["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    return made


def _format(completion: Completion, target: TargetProfile, body: Body) -> None:
    wanted = completion.response_format
    if wanted is None or wanted.kind == "text":
        return
    made: dict[str, Any] = {"type": "text", "mime_type": "application/json"}
    if wanted.kind == "json_schema":
        if not target.quirks.schema:
            raise Unsupported("response_format", f"{target.model} takes no JSON schema")
        made["schema"] = wanted.schema or {}
    body.fields["response_format"] = made
