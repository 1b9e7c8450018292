"""Encoding a completion as a Messages request."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from sidecar.core.request import (
    Completion,
    ContentPart,
    Image,
    ImageUrl,
    Message,
    Prefix,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolChoice,
)
from sidecar.providers import auth, loose, options, signature
from sidecar.providers.anthropic.decode import DIALECT
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.options import Body
from sidecar.providers.profiles import TargetProfile

PATH = "/v1/messages"
# max_tokens is required here; this is sent where the caller names none (our choice).
DEFAULT_MAX_TOKENS = 16_384
# Anthropic's floor for a thinking budget.
LEAST_BUDGET = 1_024
TEMPERATURE_MAX = 1.0

_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def encode(
    completion: Completion, target: TargetProfile, prefix: Prefix | None, key: str, stream: bool
) -> HttpCall:
    """The call. Raises Unsupported; see `Dialect.encode`."""
    options.check(completion, target)
    body = Body()
    thinks = _thinking(completion, target, prefix, body)
    turns = _turns(completion, target, thinks)
    if prefix is not None:
        turns.append(_prefix_turn(prefix, target, body))
    head: dict[str, Any] = {"model": target.upstream_model, "max_tokens": 0}
    system = "\n\n".join(m.text for m in completion.messages if m.role is Role.SYSTEM)
    if system:
        head["system"] = system
    body.fields = {**head, "messages": turns, **body.fields}
    body.fields["max_tokens"] = _max_tokens(completion, target, body)
    _tuning(completion, target, thinks, body)
    _tools(completion, body)
    _format(completion.response_format, target, body)
    body.fields["stream"] = stream
    body.merge(target.quirks.body)
    body.fields.update(options.plain_options(completion.provider_options))
    return HttpCall(
        target.quirks.path or PATH,
        auth.headers(target, key, stream),
        msgspec.json.encode(body.fields),
        tuple(body.dropped),
    )


def _thinking(
    completion: Completion, target: TargetProfile, prefix: Prefix | None, body: Body
) -> bool:
    """Thinking gives way where it is impossible: behind a prefill, in a foreign tool turn."""
    gives_way = prefix is not None or _unsigned_tools(completion, target)
    if gives_way and options.thinking(completion, target):
        body.drop("reasoning")
        return False
    thinks = options.reasoning(completion, target, body)
    if thinks and not completion.reasoning.deliver and "thinking" in body.fields:
        body.put("thinking.display", "omitted")
    return thinks


def _unsigned_tools(completion: Completion, target: TargetProfile) -> bool:
    """A running tool turn whose calls another provider made has no thinking block to begin with,
    which budgeted thinking insists on (adaptive thinking does not)."""
    if not target.quirks.budget_path:
        return False
    for turn in reversed(completion.messages):
        if turn.role is Role.USER:
            return False
        if turn.role is Role.ASSISTANT and turn.tool_calls:
            return not _thoughts(turn)
    return False


def _turns(completion: Completion, target: TargetProfile, thinks: bool) -> list[dict[str, Any]]:
    """All turns but the system's; neighbours of one role are joined, as tool results must be."""
    turns: list[dict[str, Any]] = []
    for message in completion.messages:
        if message.role is Role.SYSTEM:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = _blocks(message, target, thinks)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message, target: TargetProfile, thinks: bool) -> list[dict[str, Any]]:
    if message.role is Role.TOOL:
        result = {"type": "tool_result", "tool_use_id": message.tool_call_id}
        return [{**result, "content": _contents(message.content)}]
    blocks = _contents(message.content)
    if message.role is Role.USER:
        return blocks
    thoughts = (_thoughts(message) or _plain(message, target)) if thinks else []
    blocks = [*_at(thoughts, 0), *blocks]
    for index, call in enumerate(message.tool_calls):
        if index:
            blocks += _at(thoughts, index)
        blocks.append(
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call.arguments)}
        )
    return blocks


def _thoughts(message: Message) -> list[dict[str, Any]]:
    """The blocks that an earlier turn's signature holds; a bare one signs the turn's reasoning."""
    if signature.foreign(message.signature):
        bare = {"thinking": message.reasoning, "signature": message.signature}
        return [{"type": "thinking", **bare, "at": 0}]
    kept = signature.unpack(message.signature, DIALECT)
    return [block for block in kept if isinstance(block, dict)] if isinstance(kept, list) else []


def _plain(message: Message, target: TargetProfile) -> list[dict[str, Any]]:
    """Where nothing is signed (DeepSeek), a tool turn still goes back with its thinking; a blank
    is the least that is taken."""
    if target.quirks.replay != "text" or not message.tool_calls:
        return []
    return [{"type": "thinking", "thinking": message.reasoning or " "}]


def _at(thoughts: list[dict[str, Any]], index: int) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in block.items() if name != "at"}
        for block in thoughts
        if block.get("at", 0) == index
    ]


def _contents(parts: tuple[ContentPart, ...]) -> list[dict[str, Any]]:
    """Content blocks; empty texts are left out, because the API refuses them."""
    return [_content(part) for part in parts if not isinstance(part, Text) or part.text]


def _content(part: ContentPart) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image):
        data = base64.b64encode(part.data).decode()
        return _image({"type": "base64", "media_type": part.media_type, "data": data})
    return _image(_address(part))


def _address(part: ImageUrl) -> dict[str, str]:
    inline = options.image_address(part)
    if inline is None:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": inline[0], "data": inline[1]}


def _image(source: dict[str, str]) -> dict[str, Any]:
    return {"type": "image", "source": source}


def _input(arguments: str) -> dict[str, Any]:
    """Arguments as the object that is wanted here; text that is none becomes one of its own."""
    try:
        parsed = loose.document(arguments.encode("utf-8", "replace")) if arguments.strip() else {}
    except ValueError:
        parsed = arguments
    return parsed if isinstance(parsed, dict) else {"arguments": parsed}


def _prefix_turn(prefix: Prefix, target: TargetProfile, body: Body) -> dict[str, Any]:
    """The prefill. Its last blanks are cut: the API refuses them."""
    text = prefix.answer.rstrip()
    if target.resume == "none":
        raise Unsupported("prefix", f"{target.model} takes no partial answer")
    if not text:
        raise Unsupported("prefix", f"{target.model} takes no partial chain of thought")
    if prefix.reasoning:
        body.drop("prefix.reasoning")
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def _max_tokens(completion: Completion, target: TargetProfile, body: Body) -> int:
    """What was asked for, or a default; a thinking budget is kept below it."""
    most = target.profile.max_output_tokens
    budget = loose.record(body.fields.get("thinking")).get("budget_tokens")
    if completion.max_tokens is None:
        wanted = DEFAULT_MAX_TOKENS + (budget or 0)
        wanted = min(wanted, most) if most is not None else wanted
    else:
        wanted = completion.max_tokens
    if budget is not None:
        fitting = max(min(budget, wanted - 1), LEAST_BUDGET)
        if fitting != budget:
            body.put("thinking.budget_tokens", fitting)
            body.drop("reasoning.token_budget")
        # The floor of the budget is also one of the whole: the answer needs a token at least.
        wanted = max(wanted, fitting + 1)
    return wanted


def _tuning(completion: Completion, target: TargetProfile, thinks: bool, body: Body) -> None:
    taken = options.tuning(completion, target, thinks, body)
    if taken.get("temperature", 0.0) > TEMPERATURE_MAX:
        taken["temperature"] = TEMPERATURE_MAX
        body.drop("temperature")
    if "temperature" in taken and "top_p" in taken:
        # Newer models refuse the two together.
        taken.pop("top_p")
        body.drop("top_p")
    body.fields.update(taken)
    if completion.stop:
        body.fields["stop_sequences"] = list(completion.stop)


def _tools(completion: Completion, body: Body) -> None:
    if not completion.tools:
        return
    body.fields["tools"] = [_tool(tool) for tool in completion.tools]
    if completion.tool_choice is not None:
        body.fields["tool_choice"] = _choice(completion.tool_choice)


def _tool(tool: Tool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tool.name}
    if tool.description:
        made["description"] = tool.description
    made["input_schema"] = tool.parameters or {"type": "object", "properties": {}}
    if tool.strict:
        made["strict"] = True
    return made


def _choice(choice: ToolChoice) -> dict[str, str]:
    if choice.mode == "named":
        return {"type": "tool", "name": choice.name}
    return {"type": _CHOICES[choice.mode]}


def _format(wanted: ResponseFormat | None, target: TargetProfile, body: Body) -> None:
    if wanted is None or wanted.kind == "text":
        return
    if wanted.kind == "json_object" or not target.quirks.schema:
        raise Unsupported("response_format", f"{target.model} does not take {wanted.kind}")
    body.merge(
        {"output_config": {"format": {"type": "json_schema", "schema": wanted.schema or {}}}}
    )
