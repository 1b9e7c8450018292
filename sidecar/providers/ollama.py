"""Ollama's native dialect: one JSON object a line, arguments as objects, no keys needed."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from sidecar.core.events import FinishReason
from sidecar.core.request import Completion, Image, Message, Prefix, Role, Text, Tool
from sidecar.core.usage import Usage
from sidecar.providers import auth, errors, loose, options
from sidecar.providers.decoding import Decoding, DocumentFramer
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.ndjson import LineFramer
from sidecar.providers.numbers import count
from sidecar.providers.options import Body
from sidecar.providers.profiles import Quirks, TargetProfile
from sidecar.providers.spoken import Spoken
from sidecar.providers.think import ThinkSplitter
from sidecar.providers.tool_calls import ToolCalls, arguments_of

PATH = "/api/chat"

FINISH: dict[str, FinishReason] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
}


class Function(msgspec.Struct):
    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw(b"")


class Call(msgspec.Struct):
    id: str | None = None
    function: Function | None = None


class Said(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[Call] | None = None


class Line(msgspec.Struct):
    model: Any = None
    message: Said | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(Line)


class OllamaDecoder(Decoding):
    """Lines of a chat, or one document. The line with `done` is the end."""

    __slots__ = ("_calls", "_think")

    def __init__(self, quirks: Quirks, stream: bool, key: str = "") -> None:
        super().__init__(LineFramer() if stream else DocumentFramer(), key)
        self._calls = ToolCalls()
        self._think = ThinkSplitter(quirks.think_tags)

    def on_event(self, data: bytes, name: bytes = b"") -> None:
        try:
            line = loose.typed(data, _DECODER, Line)
        except ValueError:
            self.unreadable(data)
            return
        if line.error and self._failed(line.error):
            return
        self.report.response_model = loose.text(line.model) or self.report.response_model
        if line.message is not None:
            self._said(line.message)
        if line.done:
            self._finish(line)

    def _said(self, said: Said) -> None:
        if said.thinking:
            self._think.told_elsewhere()
            self.out.reasoning(said.thinking)
        if said.content:
            self._text(*self._think.feed(said.content))
        for call in said.tool_calls or []:
            self._call(call, call.function or Function())

    def _call(self, call: Call, function: Function) -> None:
        """Whole calls, several in a line, without numbers and mostly without ids."""
        arguments = arguments_of(bytes(function.arguments))
        place = self._calls.count
        self._calls.piece(self.out, place, call.id or "", function.name or "", arguments, "ollama")

    def _finish(self, line: Line) -> None:
        self._text(*self._think.end())
        reason = line.done_reason or "stop"
        known = FINISH.get(reason, FinishReason.STOP)
        self._calls.close(self.out, "ollama", known is not FinishReason.LENGTH)
        self.finish(reason, known)
        if line.eval_count is not None or line.prompt_eval_count is not None:
            # The prompt's count is missing where the whole prompt was in the cache.
            usage = Usage(count(line.prompt_eval_count), output_tokens=count(line.eval_count))
            self.tell_usage(usage, False)
        self.done = True

    def _text(self, reasoning: str, answer: str) -> None:
        self.out.reasoning(reasoning)
        self.out.answer(answer)

    def _failed(self, raw: msgspec.Raw) -> bool:
        """Did this line tell of an error? Null and empty ones are none."""
        error = loose.document(bytes(raw)) if loose.readable(bytes(raw)) else None
        if error:
            self.fail(errors.of_event({"error": error}, key=self._key))
        return bool(error)


def encode(
    completion: Completion, target: TargetProfile, prefix: Prefix | None, key: str, stream: bool
) -> HttpCall:
    """The call. Raises Unsupported; see `Dialect.encode`."""
    options.check(completion, target)
    if options.forced(completion):
        raise Unsupported("tool_choice", f"{target.model} cannot be forced to use a tool")
    body = Body()
    thinks = options.reasoning(completion, target, body)
    messages = [_message(turn, completion) for turn in completion.messages]
    if prefix is not None:
        messages.append(_prefix_turn(prefix, target, body))
        body.merge(target.quirks.prefix.body)
    body.fields = {"model": target.upstream_model, "messages": messages, **body.fields}
    choice = completion.tool_choice
    if completion.tools and (choice is None or choice.mode != "none"):
        body.fields["tools"] = [_tool(tool) for tool in completion.tools]
    _format(completion, body)
    _options(completion, target, thinks, body)
    body.fields["stream"] = stream
    body.merge(target.quirks.body)
    body.fields.update(options.plain_options(completion.provider_options))
    return HttpCall(
        target.quirks.path or PATH,
        auth.headers(target, key, stream, "application/x-ndjson"),
        msgspec.json.encode(body.fields),
        tuple(body.dropped),
    )


def _message(turn: Message, completion: Completion) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role.value, "content": turn.text}
    images = [_image(part) for part in turn.content if not isinstance(part, Text)]
    if images:
        message["images"] = images
    if turn.reasoning:
        message["thinking"] = turn.reasoning
    if turn.tool_calls:
        message["tool_calls"] = [
            {"function": {"name": call.name, "arguments": _arguments(call.arguments)}}
            for call in turn.tool_calls
        ]
    if turn.role is Role.TOOL:
        message["tool_name"] = _name_of(turn.tool_call_id, completion)
    return message


def _name_of(id: str, completion: Completion) -> str:
    calls = (call for turn in completion.messages for call in turn.tool_calls)
    return next((call.name for call in calls if call.id == id), id)


def _image(part: Any) -> str:
    if isinstance(part, Image):
        return base64.b64encode(part.data).decode()
    inline = options.image_address(part)
    if inline is None:
        raise Unsupported("messages", "images must be sent as bytes: addresses are not fetched")
    return inline[1]


def _arguments(arguments: str) -> dict[str, Any]:
    try:
        parsed = loose.document(arguments.encode("utf-8", "replace")) if arguments else {}
    except ValueError:
        parsed = arguments
    return parsed if isinstance(parsed, dict) else {"arguments": parsed}


def _prefix_turn(prefix: Prefix, target: TargetProfile, body: Body) -> dict[str, Any]:
    if target.resume == "none":
        raise Unsupported("prefix", f"{target.model} takes no partial answer")
    if not prefix.answer:
        raise Unsupported("prefix", f"{target.model} takes no partial chain of thought")
    if prefix.reasoning:
        body.drop("prefix.reasoning")
    return {"role": "assistant", "content": prefix.answer}


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters or {"type": "object", "properties": {}},
        },
    }


def _format(completion: Completion, body: Body) -> None:
    wanted = completion.response_format
    if wanted is None or wanted.kind == "text":
        return
    schema = wanted.schema if wanted.kind == "json_schema" else None
    body.fields["format"] = schema or "json"


def _options(completion: Completion, target: TargetProfile, thinks: bool, body: Body) -> None:
    made = options.tuning(completion, target, thinks, body)
    if completion.max_tokens is not None:
        made["num_predict"] = completion.max_tokens
    if completion.stop:
        made["stop"] = list(completion.stop)
    if made:
        body.fields["options"] = made


def decoder(target: TargetProfile, stream: bool, key: str, prefix: Prefix | None) -> OllamaDecoder:
    return OllamaDecoder(target.quirks, stream, key)


DIALECT = Spoken("ollama", encode, decoder)
