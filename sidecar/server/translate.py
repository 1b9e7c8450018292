"""From protobuf to the words of core and back. Field by field, no rules of its own but validity."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf import duration_pb2, json_format, struct_pb2
from headway.v1 import message_pb2, request_pb2

from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.request import (
    CachePolicy,
    Completion,
    ContentPart,
    Effort,
    Image,
    ImageUrl,
    Message,
    OnInterruption,
    Priority,
    ReasoningOptions,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolChoice,
    ToolUse,
)
from sidecar.core.target import PhaseTimeouts

_T = TypeVar("_T")

# Bounds of one request beside its bytes (those are the server's message limit).
MOST_MESSAGES = 4096
MOST_TOOLS = 512
MOST_DEPTH = 64
MOST_STOPS = 16
MOST_LABELS = 64

ROLES = {
    message_pb2.ROLE_SYSTEM: Role.SYSTEM,
    message_pb2.ROLE_USER: Role.USER,
    message_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    message_pb2.ROLE_TOOL: Role.TOOL,
}
EFFORTS = {
    request_pb2.REASONING_EFFORT_UNSPECIFIED: None,
    request_pb2.REASONING_EFFORT_NONE: Effort.NONE,
    request_pb2.REASONING_EFFORT_LOW: Effort.LOW,
    request_pb2.REASONING_EFFORT_MEDIUM: Effort.MEDIUM,
    request_pb2.REASONING_EFFORT_HIGH: Effort.HIGH,
    request_pb2.REASONING_EFFORT_MAX: Effort.MAX,
}
PRIORITIES = {
    request_pb2.PRIORITY_UNSPECIFIED: Priority.NORMAL,
    request_pb2.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    request_pb2.PRIORITY_NORMAL: Priority.NORMAL,
    request_pb2.PRIORITY_BATCH: Priority.BATCH,
}
INTERRUPTIONS = {
    request_pb2.ON_INTERRUPTION_UNSPECIFIED: None,
    request_pb2.ON_INTERRUPTION_RESUME: OnInterruption.RESUME,
    request_pb2.ON_INTERRUPTION_RESTART: OnInterruption.RESTART,
    request_pb2.ON_INTERRUPTION_FAIL: OnInterruption.FAIL,
}
CHOICES: dict[int, ToolChoice | None] = {
    request_pb2.TOOL_CHOICE_MODE_UNSPECIFIED: None,
    request_pb2.TOOL_CHOICE_MODE_AUTO: ToolChoice("auto"),
    request_pb2.TOOL_CHOICE_MODE_NONE: ToolChoice("none"),
    request_pb2.TOOL_CHOICE_MODE_REQUIRED: ToolChoice("required"),
}
# Fields of PhaseTimeouts, there and here.
PHASES = {
    "connect": "connect_s",
    "headers": "headers_s",
    "first_event": "first_s",
    "reasoning_gap": "reasoning_gap_s",
    "turn": "turn_s",
    "answer_gap": "answer_gap_s",
    "total": "total_s",
}
LONGEST_PHASE_S = 86_400.0
# Tokens per second; no model writes faster, so a higher floor would stand against all of them.
FASTEST_FLOOR = 10_000.0
READS = {request_pb2.CACHE_MODE_READ, request_pb2.CACHE_MODE_READ_WRITE}
WRITES = {request_pb2.CACHE_MODE_WRITE, request_pb2.CACHE_MODE_READ_WRITE}


def completion_from(message: request_pb2.Completion) -> Completion:
    """The completion asked for. Raises RequestFailed (INVALID_REQUEST, naming the field)."""
    _check_size(message)
    return Completion(
        model=message.model,
        messages=tuple(_message(m, i) for i, m in enumerate(message.messages)),
        max_tokens=_positive(message, "max_tokens"),
        temperature=_between(message, "temperature", 0.0, 2.0),
        top_p=_between(message, "top_p", 0.0, 1.0),
        stop=tuple(message.stop),
        seed=_optional(message, "seed"),
        presence_penalty=_between(message, "presence_penalty", -2.0, 2.0),
        frequency_penalty=_between(message, "frequency_penalty", -2.0, 2.0),
        tools=tuple(_tool(t, i) for i, t in enumerate(message.tools)),
        tool_choice=_tool_choice(message),
        response_format=_response_format(message),
        reasoning=_reasoning(message),
        priority=_known(PRIORITIES, message.priority, "priority"),
        caller=message.caller,
        labels=tuple(sorted(message.labels.items())),
        on_interruption=_known(INTERRUPTIONS, message.on_interruption, "on_interruption"),
        max_cost_nano_usd=_positive(message, "max_cost_nano_usd"),
        cache=_cache(message),
        timeouts=_timeouts(message),
        provider_options=_plain(message.provider_options, "provider_options"),
    )


def request_id_from(text: str) -> str:
    """The caller's UUID in its usual spelling, or a new one. Raises RequestFailed."""
    if not text:
        return ""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise invalid("request_id", "must be a UUID, or empty") from None


def invalid(field: str, expected: str) -> RequestFailed:
    """The error for a bad field: what was expected of it."""
    return RequestFailed(
        Reason.INVALID_REQUEST, f"{field} {expected}", field=field, metadata={"field": field}
    )


def _check_size(message: request_pb2.Completion) -> None:
    if not message.model:
        raise invalid("completion.model", "must name a route or a provider/model")
    if not message.messages:
        raise invalid("completion.messages", "must hold at least one message")
    for field, most in (
        ("messages", MOST_MESSAGES),
        ("tools", MOST_TOOLS),
        ("stop", MOST_STOPS),
        ("labels", MOST_LABELS),
    ):
        if len(getattr(message, field)) > most:
            raise invalid(f"completion.{field}", f"must hold at most {most} items")


def _message(message: message_pb2.Message, index: int) -> Message:
    where = f"completion.messages[{index}]"
    role = ROLES.get(message.role)
    if role is None:
        raise invalid(f"{where}.role", "must be SYSTEM, USER, ASSISTANT or TOOL")
    if role is Role.TOOL and not message.tool_call_id:
        raise invalid(f"{where}.tool_call_id", "must name the call that a TOOL message answers")
    if role is not Role.ASSISTANT and message.tool_calls:
        raise invalid(f"{where}.tool_calls", "belong to ASSISTANT messages alone")
    return Message(
        role=role,
        content=tuple(_part(p, f"{where}.content[{i}]") for i, p in enumerate(message.content)),
        reasoning=message.reasoning,
        signature=message.signature,
        tool_calls=tuple(ToolUse(c.id, c.name, c.arguments) for c in message.tool_calls),
        tool_call_id=message.tool_call_id,
    )


def _part(part: message_pb2.ContentPart, where: str) -> ContentPart:
    kind = part.WhichOneof("part")
    if kind == "text":
        return Text(part.text)
    if kind == "image_url":
        if not part.image_url.startswith(("https://", "http://", "data:image/")):
            raise invalid(f"{where}.image_url", "must be an https: or data:image/ URL")
        return ImageUrl(part.image_url)
    if kind == "image":
        if not part.image.data or not part.image.media_type.startswith("image/"):
            raise invalid(f"{where}.image", "must hold bytes and an image/ media type")
        return Image(part.image.data, part.image.media_type)
    raise invalid(where, "must hold text or an image")


def _tool(tool: request_pb2.Tool, index: int) -> Tool:
    where = f"completion.tools[{index}]"
    if not tool.name:
        raise invalid(f"{where}.name", "must not be empty")
    return Tool(
        name=tool.name,
        description=tool.description,
        parameters=_plain(tool.parameters, f"{where}.parameters"),
        strict=tool.strict or None,
    )


def _tool_choice(message: request_pb2.Completion) -> ToolChoice | None:
    if not message.HasField("tool_choice"):
        return None
    choice = message.tool_choice
    if choice.WhichOneof("choice") != "name":
        return _known(CHOICES, choice.mode, "tool_choice.mode")
    if choice.name not in {tool.name for tool in message.tools}:
        raise invalid("completion.tool_choice.name", "must be the name of one of the tools")
    return ToolChoice("named", choice.name)


def _response_format(message: request_pb2.Completion) -> ResponseFormat | None:
    kind = message.response_format.WhichOneof("format")
    if kind is None:
        return None
    if kind != "json_schema":
        return ResponseFormat(kind)
    schema = message.response_format.json_schema
    return ResponseFormat(
        "json_schema",
        schema.name or "response",
        _plain(schema.schema, "response_format.json_schema.schema"),
        schema.strict or None,
    )


def _reasoning(message: request_pb2.Completion) -> ReasoningOptions:
    reasoning = message.reasoning
    budget: int | None = None
    if reasoning.WhichOneof("amount") == "token_budget":
        budget = reasoning.token_budget
        if budget < 0:
            raise invalid("completion.reasoning.token_budget", "must not be negative")
    return ReasoningOptions(
        effort=_known(EFFORTS, reasoning.effort, "reasoning.effort"),
        token_budget=budget,
        deliver=reasoning.delivery != request_pb2.REASONING_DELIVERY_EXCLUDE,
    )


def _cache(message: request_pb2.Completion) -> CachePolicy:
    policy = message.cache
    ttl_s = policy.ttl.ToTimedelta().total_seconds() if policy.HasField("ttl") else 300.0
    if ttl_s <= 0:
        raise invalid("completion.cache.ttl", "must be positive")
    return CachePolicy(policy.mode in READS, policy.mode in WRITES, ttl_s)


def _timeouts(message: request_pb2.Completion) -> PhaseTimeouts:
    """What is set is positive; a floor may be 0, which switches it off."""
    given, where = message.timeouts, "completion.timeouts"
    found: dict[str, float] = {}
    for name, field in PHASES.items():
        if not given.HasField(name):  # type: ignore[arg-type]
            continue
        span: duration_pb2.Duration = getattr(given, name)
        found[field] = span.seconds + span.nanos / 1e9
        if not 0 < found[field] <= LONGEST_PHASE_S:
            raise invalid(f"{where}.{name}", "must be positive, and at most a day")
    if given.HasField("min_tokens_per_s"):
        floor = found["min_tokens_per_s"] = given.min_tokens_per_s
        if not 0 <= floor <= FASTEST_FLOOR:
            raise invalid(f"{where}.min_tokens_per_s", f"must be between 0 and {FASTEST_FLOOR:g}")
    return PhaseTimeouts(**found)


def _known(table: Mapping[Any, _T], value: int, field: str) -> _T:
    if value not in table:
        raise invalid(f"completion.{field}", f"has a value ({value}) that this version lacks")
    return table[value]


def _optional(message: request_pb2.Completion, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None  # type: ignore[arg-type]


def _positive(message: request_pb2.Completion, field: str) -> int | None:
    value: int | None = _optional(message, field)
    if value is not None and value <= 0:
        raise invalid(f"completion.{field}", "must be positive")
    return value


def _between(
    message: request_pb2.Completion, field: str, least: float, most: float
) -> float | None:
    value: float | None = _optional(message, field)
    if value is not None and not least <= value <= most:
        raise invalid(f"completion.{field}", f"must be between {least:g} and {most:g}")
    return value


def _plain(struct: struct_pb2.Struct, field: str) -> dict[str, Any]:
    """A Struct as plain data; whole numbers become ints, as JSON has them."""
    if not struct.fields:
        return {}
    try:
        plain = json_format.MessageToDict(struct)
    except (json_format.SerializeToJsonError, RecursionError, ValueError):
        raise invalid(field, "must be JSON: no NaN, no infinity") from None
    return {name: _tame(value, field, MOST_DEPTH) for name, value in plain.items()}


def _tame(value: Any, field: str, depth: int) -> Any:
    if depth == 0:
        raise invalid(field, f"must not be nested deeper than {MOST_DEPTH}")
    if isinstance(value, dict):
        return {name: _tame(item, field, depth - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_tame(item, field, depth - 1) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
