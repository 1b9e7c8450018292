"""Encoding a completion as a Responses request: stateless, nothing stored at the provider."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from sidecar.core.request import Completion, Image, ImageUrl, Message, Prefix, Role, Text, Tool
from sidecar.providers import auth, options, signature
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.options import Body
from sidecar.providers.profiles import TargetProfile
from sidecar.providers.responses.decode import DIALECT

PATH = "/responses"


def encode(
    completion: Completion, target: TargetProfile, prefix: Prefix | None, key: str, stream: bool
) -> HttpCall:
    """The call. Raises Unsupported; see `Dialect.encode`."""
    options.check(completion, target)
    if prefix is not None:
        raise Unsupported("prefix", f"{target.model} takes no partial answer")
    if completion.stop:
        raise Unsupported("stop", f"{target.model} takes no stop sequences")
    body = Body()
    thinks = options.reasoning(completion, target, body)
    head = {"model": target.upstream_model, "input": _input(completion, target)}
    body.fields = {**head, **body.fields}
    if target.profile.reasoning:
        _reasoning(completion, thinks, body)
    body.fields.update(options.tuning(completion, target, thinks, body))
    if completion.max_tokens is not None:
        body.fields["max_output_tokens"] = completion.max_tokens
    _tools(completion, body)
    _format(completion, target, body)
    body.fields["store"] = False
    body.fields["stream"] = stream
    body.merge(target.quirks.body)
    body.fields.update(options.plain_options(completion.provider_options))
    return HttpCall(
        target.quirks.path or PATH,
        auth.headers(target, key, stream),
        msgspec.json.encode(body.fields),
        tuple(body.dropped),
    )


def _reasoning(completion: Completion, thinks: bool, body: Body) -> None:
    """Ask for the readable summary, and for the opaque state that the next turn needs."""
    if thinks and completion.reasoning.deliver:
        body.merge({"reasoning": {"summary": "auto"}})
    body.fields["include"] = ["reasoning.encrypted_content"]


def _input(completion: Completion, target: TargetProfile) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for message in completion.messages:
        items += _items(message, target)
    return items


def _items(message: Message, target: TargetProfile) -> list[dict[str, Any]]:
    if message.role is Role.TOOL:
        output = {"type": "function_call_output", "call_id": message.tool_call_id}
        return [{**output, "output": message.text}]
    if message.role is Role.ASSISTANT:
        return _assistant(message, target)
    role = target.quirks.system_role if message.role is Role.SYSTEM else "user"
    return [{"role": role, "content": _content(message)}]


def _assistant(message: Message, target: TargetProfile) -> list[dict[str, Any]]:
    kept = signature.unpack(message.signature, DIALECT)
    thoughts = [item for item in kept if isinstance(item, dict)] if isinstance(kept, list) else []
    items = _at(thoughts or _plain(message, target), 0)
    if message.text:
        items.append({"role": "assistant", "content": message.text})
    for index, call in enumerate(message.tool_calls):
        if index:
            items += _at(thoughts, index)
        made = {"type": "function_call", "call_id": call.id, "name": call.name}
        items.append({**made, "arguments": call.arguments or "{}"})
    return items


def _plain(message: Message, target: TargetProfile) -> list[dict[str, Any]]:
    """Where nothing is encrypted (DeepSeek), a tool turn goes back with its raw reasoning."""
    if target.quirks.replay != "text" or not (message.tool_calls and message.reasoning):
        return []
    content = [{"type": "reasoning_text", "text": message.reasoning}]
    return [{"type": "reasoning", "summary": [], "content": content}]


def _at(thoughts: list[dict[str, Any]], index: int) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in item.items() if name != "at"}
        for item in thoughts
        if item.get("at", 0) == index
    ]


def _content(message: Message) -> str | list[dict[str, Any]]:
    if all(isinstance(part, Text) for part in message.content):
        return message.text
    parts: list[dict[str, Any]] = []
    for part in message.content:
        if isinstance(part, Text):
            parts.append({"type": "input_text", "text": part.text})
        else:
            parts.append(_image(part))
    return parts


def _image(part: Image | ImageUrl) -> dict[str, Any]:
    if isinstance(part, Image):
        data = base64.b64encode(part.data).decode()
        url, detail = f"data:{part.media_type};base64,{data}", ""
    else:
        url, detail = part.url, part.detail
    return {"type": "input_image", "image_url": url, "detail": detail or "auto"}


def _tools(completion: Completion, body: Body) -> None:
    if not completion.tools:
        return
    body.fields["tools"] = [_tool(tool) for tool in completion.tools]
    choice = completion.tool_choice
    if choice is None:
        return
    named = {"type": "function", "name": choice.name}
    body.fields["tool_choice"] = named if choice.mode == "named" else choice.mode


def _tool(tool: Tool) -> dict[str, Any]:
    """`strict` is always said: its default here is on, which refuses many a schema."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters or {"type": "object", "properties": {}},
        "strict": bool(tool.strict),
    }


def _format(completion: Completion, target: TargetProfile, body: Body) -> None:
    wanted = completion.response_format
    if wanted is None:
        return
    made: dict[str, Any] = {"type": wanted.kind}
    if wanted.kind == "json_schema":
        if not target.quirks.schema:
            raise Unsupported("response_format", f"{target.model} takes no JSON schema")
        made |= {"name": wanted.name or "answer", "schema": wanted.schema or {}}
        if wanted.strict is not None:
            made["strict"] = wanted.strict
    body.fields["text"] = {"format": made}
