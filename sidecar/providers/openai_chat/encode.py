"""Encoding a completion as a chat completions request."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.core.request import Completion, Prefix, Tool
from sidecar.providers import auth, options
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.openai_chat.messages import messages_of, prefix_message
from sidecar.providers.options import Body
from sidecar.providers.profiles import TargetProfile

PATH = "/chat/completions"


def encode(
    completion: Completion, target: TargetProfile, prefix: Prefix | None, key: str, stream: bool
) -> HttpCall:
    """The call. Raises Unsupported; see `Dialect.encode`."""
    options.check(completion, target)
    body = Body()
    thinks = options.reasoning(completion, target, body)
    body.fields = {"model": target.upstream_model, "messages": [], **body.fields}
    body.fields["messages"] = messages_of(completion, target, thinks)
    _tuning(completion, target, thinks, body)
    _tools(completion, body)
    _format(completion, target, body)
    body.fields["stream"] = stream
    if stream and target.quirks.stream_usage:
        body.fields["stream_options"] = {"include_usage": True}
    path = target.quirks.path or PATH
    if prefix is not None:
        path = _prefix(prefix, target, thinks, body)
    body.merge(target.quirks.body)
    body.fields.update(options.plain_options(completion.provider_options))
    return HttpCall(
        path,
        auth.headers(target, key, stream),
        msgspec.json.encode(body.fields),
        tuple(body.dropped),
    )


def _tuning(completion: Completion, target: TargetProfile, thinks: bool, body: Body) -> None:
    own = {"seed": target.quirks.seed_field}
    taken = options.tuning(completion, target, thinks, body)
    body.fields.update({own.get(name, name): value for name, value in taken.items()})
    if completion.max_tokens is not None:
        body.fields[target.quirks.max_tokens_field] = completion.max_tokens
    if completion.stop:
        body.fields["stop"] = list(completion.stop)


def _tools(completion: Completion, body: Body) -> None:
    if not completion.tools:
        return
    body.fields["tools"] = [_tool(tool) for tool in completion.tools]
    choice = completion.tool_choice
    if choice is None:
        return
    if choice.mode == "named":
        body.fields["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    else:
        body.fields["tool_choice"] = choice.mode


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _format(completion: Completion, target: TargetProfile, body: Body) -> None:
    wanted = completion.response_format
    if wanted is None:
        return
    if wanted.kind == "json_object" and not target.quirks.json_object:
        raise Unsupported("response_format", f"{target.model} does not take json_object")
    if wanted.kind != "json_schema":
        body.fields["response_format"] = {"type": wanted.kind}
        return
    if not target.quirks.schema:
        raise Unsupported("response_format", f"{target.model} takes no JSON schema")
    schema: dict[str, Any] = {"name": wanted.name or "answer", "schema": wanted.schema or {}}
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    body.fields["response_format"] = {"type": "json_schema", "json_schema": schema}


def _prefix(prefix: Prefix, target: TargetProfile, thinks: bool, body: Body) -> str:
    style = target.quirks.prefix
    body.fields["messages"].append(prefix_message(prefix, target, thinks, body))
    body.merge(style.body)
    if prefix.answer:
        body.merge(style.answer_body)
    return style.path or target.quirks.path or PATH
