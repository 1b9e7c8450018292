"""Python values to the API's request messages. Pure.

A wrong value is a ValueError or TypeError that names it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.struct_pb2 import Struct

from headway._wire import duration, number
from headway.options import Messages, Options
from headway.v1 import message_pb2, request_pb2


def completion(model: str, messages: Messages, options: Options) -> request_pb2.Completion:
    """The payload of a request."""
    wire = request_pb2.Completion(model=model, messages=turns(messages))
    for name, value in options.items():
        if value is not None:
            _put(wire, name, value)
    return wire


def _put(wire: request_pb2.Completion, name: str, value: Any) -> None:
    if name in _PLAIN:
        setattr(wire, name, value)
    elif name in _SPECIAL:
        _SPECIAL[name](wire, value)
    else:
        raise TypeError(f"unknown option {name!r}")


def turns(messages: Messages) -> list[message_pb2.Message]:
    """A conversation. A string is one turn of the user."""
    if isinstance(messages, str):
        return [_turn({"role": "user", "content": messages})]
    return [_turn(message) for message in messages]


def _turn(message: Mapping[str, Any] | message_pb2.Message) -> message_pb2.Message:
    if isinstance(message, message_pb2.Message):
        return message
    _known(message, "message", _MESSAGE_FIELDS)
    return message_pb2.Message(
        role=number(message_pb2.Role, "ROLE_", message.get("role", "user")),
        content=_parts(message.get("content")),
        reasoning=message.get("reasoning") or "",
        signature=message.get("signature") or "",
        tool_calls=[_tool_call(call) for call in message.get("tool_calls") or ()],
        tool_call_id=message.get("tool_call_id") or "",
    )


_MESSAGE_FIELDS: Final = frozenset(message_pb2.Message.DESCRIPTOR.fields_by_name)


def _parts(content: str | Sequence[Any] | None) -> list[message_pb2.ContentPart]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [message_pb2.ContentPart(text=content)]
    return [_part(part) for part in content]


def _part(part: Any) -> message_pb2.ContentPart:
    """A part: text, {"text"}, {"image_url"}, {"image": bytes, "media_type"}, or the message."""
    if isinstance(part, message_pb2.ContentPart):
        return part
    if isinstance(part, str):
        return message_pb2.ContentPart(text=part)
    if "text" in part:
        return message_pb2.ContentPart(text=part["text"])
    if "image_url" in part:
        url = part["image_url"]
        return message_pb2.ContentPart(image_url=url if isinstance(url, str) else url["url"])
    if "image" in part:
        image = message_pb2.Image(data=part["image"], media_type=part["media_type"])
        return message_pb2.ContentPart(image=image)
    raise ValueError(f"a content part has text, image_url or image, not {sorted(part)}")


def _tool_call(call: Any) -> message_pb2.ToolCall:
    """A call: a mapping (flat, or nested under "function"), our ToolCall, or the message."""
    if isinstance(call, message_pb2.ToolCall):
        return call
    if isinstance(call, Mapping):
        flat = {**call, **call.get("function", {})}
        return message_pb2.ToolCall(
            id=flat["id"], name=flat["name"], arguments=flat.get("arguments", "")
        )
    return message_pb2.ToolCall(id=call.id, name=call.name, arguments=call.arguments)


def _tool(tool: Any) -> request_pb2.Tool:
    """A tool: a mapping (flat, or nested under "function"), or the message itself."""
    if isinstance(tool, request_pb2.Tool):
        return tool
    flat = {**tool, **tool.get("function", {})}
    flat.pop("function", None)
    flat.pop("type", None)
    _known(flat, "tool", _TOOL_FIELDS)
    parameters = flat.pop("parameters", None)
    return request_pb2.Tool(**flat, parameters=None if parameters is None else struct(parameters))


_TOOL_FIELDS: Final = frozenset(request_pb2.Tool.DESCRIPTOR.fields_by_name)


def _put_stop(wire: request_pb2.Completion, value: str | Sequence[str]) -> None:
    wire.stop.extend([value] if isinstance(value, str) else value)


def _put_tools(wire: request_pb2.Completion, value: Sequence[Any]) -> None:
    wire.tools.extend(_tool(tool) for tool in value)


def _put_tool_choice(wire: request_pb2.Completion, value: str | request_pb2.ToolChoice) -> None:
    if isinstance(value, request_pb2.ToolChoice):
        wire.tool_choice.CopyFrom(value)
    elif value in _MODES:
        wire.tool_choice.mode = _MODES[value]
    else:
        wire.tool_choice.name = value


_MODES: Final = {
    "auto": request_pb2.TOOL_CHOICE_MODE_AUTO,
    "none": request_pb2.TOOL_CHOICE_MODE_NONE,
    "required": request_pb2.TOOL_CHOICE_MODE_REQUIRED,
}


def _put_response_format(wire: request_pb2.Completion, value: Any) -> None:
    if isinstance(value, request_pb2.ResponseFormat):
        wire.response_format.CopyFrom(value)
    elif value in ("text", "json_object"):
        getattr(wire.response_format, value).SetInParent()
    elif isinstance(value, Mapping):
        _known(value, "response_format", frozenset({"name", "schema", "strict"}))
        wire.response_format.json_schema.name = value["name"]
        wire.response_format.json_schema.schema.update(value["schema"])
        wire.response_format.json_schema.strict = value.get("strict", False)
    else:
        raise ValueError(f"response_format is text, json_object or a schema, not {value!r}")


def _put_reasoning(wire: request_pb2.Completion, value: Any) -> None:
    if isinstance(value, request_pb2.Reasoning):
        wire.reasoning.MergeFrom(value)
    elif isinstance(value, int):
        wire.reasoning.token_budget = value
    else:
        wire.reasoning.effort = number(request_pb2.ReasoningEffort, "REASONING_EFFORT_", value)


def _put_include_reasoning(wire: request_pb2.Completion, value: bool) -> None:
    wire.reasoning.delivery = (
        request_pb2.REASONING_DELIVERY_INCLUDE if value else request_pb2.REASONING_DELIVERY_EXCLUDE
    )


def _put_priority(wire: request_pb2.Completion, value: str) -> None:
    wire.priority = number(request_pb2.Priority, "PRIORITY_", value)


def _put_labels(wire: request_pb2.Completion, value: Mapping[str, str]) -> None:
    wire.labels.update(value)


def _put_on_interruption(wire: request_pb2.Completion, value: str) -> None:
    wire.on_interruption = number(request_pb2.OnInterruption, "ON_INTERRUPTION_", value)


def _put_cache(wire: request_pb2.Completion, value: str) -> None:
    wire.cache.mode = number(request_pb2.CacheMode, "CACHE_MODE_", value)


def _put_cache_ttl(wire: request_pb2.Completion, value: float) -> None:
    wire.cache.ttl.CopyFrom(duration(value))


def _put_provider_options(wire: request_pb2.Completion, value: Mapping[str, Any]) -> None:
    wire.provider_options.update(value)


_PLAIN: Final = frozenset(
    {
        *("max_tokens", "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"),
        *("caller", "max_cost_nano_usd"),
    }
)
_SPECIAL: Final[dict[str, Callable[[request_pb2.Completion, Any], None]]] = {
    "stop": _put_stop,
    "tools": _put_tools,
    "tool_choice": _put_tool_choice,
    "response_format": _put_response_format,
    "reasoning": _put_reasoning,
    "include_reasoning": _put_include_reasoning,
    "priority": _put_priority,
    "labels": _put_labels,
    "on_interruption": _put_on_interruption,
    "cache": _put_cache,
    "cache_ttl_s": _put_cache_ttl,
    "provider_options": _put_provider_options,
}


def struct(value: Mapping[str, Any]) -> Struct:
    wire = Struct()
    wire.update(value)
    return wire


def _known(given: Mapping[str, Any], what: str, names: frozenset[str]) -> None:
    """A misspelt field would be silently lost: refuse it."""
    if strange := sorted(set(given) - names):
        raise ValueError(f"a {what} has no {', '.join(strange)}; it has {', '.join(sorted(names))}")
