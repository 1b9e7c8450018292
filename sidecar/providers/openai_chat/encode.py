"""Encoding a completion as a chat completions request."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.core.request import Completion, Effort, Prefix, Tool
from sidecar.providers import auth, options
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.openai_chat.messages import messages_of, prefix_message
from sidecar.providers.options import Body
from sidecar.providers.profiles import TargetProfile

PATH = "/chat/completions"
# Options that only tune the answer, with the field of the request they become.
TUNING = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")


def encode(
    completion: Completion, target: TargetProfile, prefix: Prefix | None, key: str, stream: bool
) -> HttpCall:
    """The call. Raises Unsupported; see `Dialect.encode`."""
    options.check(completion, target)
    body = Body()
    thinks = _reasoning(completion, target, body)
    body.fields = {"model": target.upstream_model, "messages": [], **body.fields}
    body.fields["messages"] = messages_of(completion, target, thinks)
    _tuning(completion, target, thinks, body)
    _tools(completion, body)
    _format(completion, target, body)
    body.fields["stream"] = stream
    if stream and target.quirks.stream_usage:
        body.fields["stream_options"] = {"include_usage": True}
    path = PATH
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


def _reasoning(completion: Completion, target: TargetProfile, body: Body) -> bool:
    """Say how hard to think; return whether the call will think at all."""
    thinks = options.thinking(completion, target)
    if _forced(completion) and thinks and target.quirks.forced_tools == "plain":
        return _plain(completion, target, body)
    asked = completion.reasoning
    if target.profile.thinking is not None:
        _fixed(completion, target, body)
        return thinks
    if not target.profile.reasoning:
        if options.effort_of(completion) not in (None, Effort.NONE):
            body.drop("reasoning")
        return False
    if asked.token_budget and asked.effort is None and target.quirks.budget_path:
        body.merge(target.quirks.budget_body)
        body.put(target.quirks.budget_path, asked.token_budget)
        return thinks
    if asked.token_budget is not None:
        body.drop("reasoning.token_budget")
    effort = options.effort_of(completion)
    if effort is not None:
        _effort(effort, target, body)
    return thinks


def _effort(effort: Effort, target: TargetProfile, body: Body) -> None:
    fragment = target.quirks.efforts.get(effort.value)
    if fragment is None:
        body.drop("reasoning.effort")
    else:
        body.merge(fragment)


def _fixed(completion: Completion, target: TargetProfile, body: Body) -> None:
    """A model whose name says whether it thinks; an effort above NONE still says how hard."""
    effort = options.effort_of(completion)
    thinks = target.profile.thinking
    if effort is not None and (effort is not Effort.NONE) == thinks:
        _effort(effort, target, body)
        return
    if effort is not None:
        body.drop("reasoning.effort")
    _effort(Effort.HIGH if thinks else Effort.NONE, target, body)


def _forced(completion: Completion) -> bool:
    choice = completion.tool_choice
    return bool(completion.tools) and choice is not None and choice.mode in ("required", "named")


def _plain(completion: Completion, target: TargetProfile, body: Body) -> bool:
    """A forced tool where thinking forbids it: thinking gives way, unless it was asked for."""
    asked = options.effort_of(completion)
    off = target.quirks.efforts.get(Effort.NONE.value)
    if asked is not None or target.profile.thinking or off is None:
        raise Unsupported("tool_choice", f"{target.model} cannot force a tool while thinking")
    body.merge(off)
    body.drop("reasoning")
    return False


def _tuning(completion: Completion, target: TargetProfile, thinks: bool, body: Body) -> None:
    for name in TUNING:
        value = getattr(completion, name)
        if value is None:
            continue
        if options.dropped_here(name, target, thinks):
            body.drop(name)
        else:
            body.fields[name] = value
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
    return style.path or PATH
