"""Chat completions, in the flavours of the providers that speak it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.testing.actions import Kind
from sidecar.testing.asked import Asked, Call, Incoming, OnPrefix, Plan, Speech
from sidecar.testing.dialects.base import (
    BadRequest,
    Dialect,
    Piece,
    Refusal,
    Stamp,
    must_be_list,
    seal,
    sse,
    texts_of,
)
from sidecar.testing.refusals import KINDS


class Flavour(msgspec.Struct, frozen=True):
    """One provider's way (reference "wire formats", sections 0, 2, 3 and 6 to 10).

    `reasoning` names the delta's field; "" hides the text. `usage` is where it rides: in the
    finish chunk, in a chunk of its own, or in one only when asked for. `prefix` names the sign
    that asks for a continuation: "prefix" in the last message, "continue_final_message" in the
    body, "last" (an assistant's turn at the end is enough), "" for none. `outside` counts
    reasoning outside of the completion tokens; `nulls` writes what is absent as null; `details`
    repeats the reasoning as a list of details; `cost` tells in the usage what the call costs.
    """

    reasoning: str = "reasoning_content"
    usage: str = "asked"
    prefix: str = ""
    prefix_path: str = ""
    done: bool = True
    outside: bool = False
    nulls: bool = False
    details: bool = False
    cost: bool = False


FLAVOURS: dict[str, Flavour] = {
    "deepseek": Flavour(usage="finish", prefix="prefix", prefix_path="/beta/", nulls=True),
    "openai": Flavour(reasoning=""),
    "compatible": Flavour(),
    "mistral": Flavour(reasoning="thinking", usage="finish", prefix="prefix"),
    "openrouter": Flavour(
        reasoning="reasoning", usage="always", prefix="last", details=True, cost=True
    ),
    "groq": Flavour(reasoning="reasoning"),
    "xai": Flavour(usage="always", outside=True),
    "vllm": Flavour(reasoning="reasoning", prefix="continue_final_message"),
    "llamacpp": Flavour(prefix="last"),
    "gpustack": Flavour(usage="finish", done=False),
}
_BY_PATH = (("/v1/", "compatible"), ("", "deepseek"))
_PATH = re.compile(r"^(?:/(?P<flavour>[a-z]+))?(?P<rest>/.*)?/chat/completions$")


def parse(incoming: Incoming, match: re.Match[str], body: dict[str, Any]) -> Asked:
    """Read the request. Raises BadRequest."""
    messages = must_be_list(body, "messages")
    flavour = flavour_of(incoming.path)
    prefix = _prefix(FLAVOURS[flavour], incoming.path, messages, body)
    wanted = prefix is not None and _wants_continuation(FLAVOURS[flavour], messages[-1], body)
    return Asked(
        dialect="openai-chat",
        flavour=flavour,
        model=str(body.get("model") or ""),
        stream=bool(body.get("stream")),
        texts=_texts(messages, wanted),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=_stops(body.get("stop")),
        seed=body.get("seed"),
        thinking=_thinking(body),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        tools=_tools(body),
        after_tool=messages[-1].get("role") == "tool",
        prefix=prefix,
        on_prefix=OnPrefix.CONTINUE if wanted else OnPrefix.RESTART,
    )


def flavour_of(path: str) -> str:
    """The first part of the path if it names a flavour; `/v1/` a compatible server; DeepSeek."""
    first = path.lstrip("/").split("/", 1)[0]
    if first in FLAVOURS:
        return first
    return next(flavour for part, flavour in _BY_PATH if part in path)


def _prefix(
    flavour: Flavour, path: str, messages: list[dict[str, Any]], body: dict[str, Any]
) -> Prefix | None:
    last = messages[-1]
    if last.get("role") != "assistant" or last.get("tool_calls"):
        return None
    if last.get("prefix") and flavour.prefix_path not in path:
        raise BadRequest("`prefix` is a beta feature: use the base URL that ends with /beta")
    reasoning = last.get("reasoning_content") or last.get("reasoning") or ""
    return Prefix(reasoning=str(reasoning), answer=texts_of(last.get("content")))


def _wants_continuation(flavour: Flavour, last: dict[str, Any], body: dict[str, Any]) -> bool:
    signs = {
        "": False,
        "last": True,
        "prefix": bool(last.get("prefix")),
        "continue_final_message": bool(body.get("continue_final_message")),
    }
    return signs[flavour.prefix]


def _texts(messages: list[dict[str, Any]], continues: bool) -> tuple[str, ...]:
    texts = [texts_of(message.get("content")) for message in messages]
    if continues:
        texts.append(str(messages[-1].get("reasoning_content") or ""))
    return tuple(texts)


def _stops(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _thinking(body: dict[str, Any]) -> bool:
    thinking = body.get("thinking") or {}
    return thinking.get("type") != "disabled" and body.get("reasoning_effort") != "none"


def _tools(body: dict[str, Any]) -> tuple[str, ...]:
    if body.get("tool_choice") == "none":
        return ()
    tools = body.get("tools") or ()
    return tuple(str(tool.get("function", {}).get("name", "")) for tool in tools)


class ChatRenderer:
    """Chunks as DeepSeek and its kin send them."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, asked: Asked, plan: Plan, stamp: Stamp) -> None:
        self._flavour = FLAVOURS[asked.flavour]
        self._asked = asked
        self._id = f"chatcmpl-fake-{stamp.number:08d}"
        self._created = stamp.created
        self._price = stamp.price
        self._demands = plan.demands
        self._thought = ""

    def opening(self) -> list[bytes]:
        delta: dict[str, Any] = {"role": "assistant", "content": ""}
        if self._flavour.nulls and self._asked.thinking:
            delta |= {"content": None, "reasoning_content": ""}
        return [self._chunk(delta)]

    def reasoning(self, text: str) -> list[bytes]:
        field = self._flavour.reasoning
        if not field:
            return []
        self._thought += text
        if self._flavour.details:
            # The same text twice, as OpenRouter sends it (reference "wire formats", trap 14).
            detail = {"type": "reasoning.text", "text": text, "index": 0, "format": None}
            told = {"content": "", field: text, "reasoning_details": [detail]}
            return [self._chunk(told)]
        if field == "thinking":
            thinking = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
            return [self._chunk({"content": [thinking]})]
        return [
            self._chunk({"content": None, field: text} if self._flavour.nulls else {field: text})
        ]

    def answer(self, text: str) -> list[bytes]:
        nulls = {"reasoning_content": None} if self._flavour.nulls else {}
        return [self._chunk({"content": text, **nulls})]

    def call(self, call: Call, piece: str, first: bool) -> list[bytes]:
        events = []
        if first and call.index == 0 and self._thought:
            events += self._sealed()
        if first:
            function = {"name": call.name, "arguments": ""}
            begun = {"index": call.index, "id": call.id, "type": "function", "function": function}
            events.append(self._chunk({"tool_calls": [begun]}))
        more = {"index": call.index, "function": {"arguments": piece}}
        events.append(self._chunk({"tool_calls": [more]}))
        return events

    def _sealed(self) -> list[bytes]:
        """The opaque half of OpenRouter's details, which comes last."""
        if not self._demands or not self._flavour.details:
            return []
        detail = {"type": "reasoning.encrypted", "data": seal(self._thought), "index": 1}
        return [self._chunk({"content": "", "reasoning_details": [detail]})]

    def closing(self, finish: str, usage: Usage | None) -> list[Piece]:
        told = self._told(usage)
        rides = self._flavour.usage
        with_finish = told if rides == "finish" else None
        last = {"content": ""} if self._flavour.nulls else {}
        pieces = [Piece(Kind.FINISH, self._chunk(last, finish, with_finish))]
        if told and (rides == "always" or (rides == "asked" and self._asked.include_usage)):
            pieces.append(Piece(Kind.USAGE, sse(self._frame([], told))))
        if self._flavour.done:
            pieces.append(Piece(Kind.DONE, sse(b"[DONE]")))
        return pieces

    def whole(self, speech: Speech, usage: Usage | None) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": speech.tagged_answer}
        reasoning = "" if speech.tags else "".join(speech.reasoning)
        if reasoning and self._flavour.reasoning == "thinking":
            thought = {"type": "thinking", "thinking": [{"type": "text", "text": reasoning}]}
            message["content"] = [thought, {"type": "text", "text": "".join(speech.answer)}]
        elif reasoning and self._flavour.reasoning:
            message[self._flavour.reasoning] = reasoning
        if speech.calls:
            message["tool_calls"] = [_whole_call(call) for call in speech.calls]
        choice = {"index": 0, "message": message, "finish_reason": speech.finish}
        told = self._told(usage)
        frame = self._frame([choice], told)
        frame["object"] = "chat.completion"
        return msgspec.json.encode(frame)

    def _told(self, usage: Usage | None) -> dict[str, Any] | None:
        if usage is None:
            return None
        told = usage_fields(usage, self._flavour)
        if self._flavour.cost:
            told["cost"] = self._price(usage).total_nano_usd / 1e9
        return told

    def comment(self) -> bytes:
        return b": keep-alive\n\n" if self._asked.stream else b"\n"

    def _chunk(
        self, delta: dict[str, Any], finish: str | None = None, usage: dict[str, Any] | None = None
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse(self._frame([choice], usage))

    def _frame(self, choices: list[Any], usage: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._asked.model,
            "system_fingerprint": "fp_fake",
            "choices": choices,
            "usage": usage,
        }


def usage_fields(usage: Usage, flavour: Flavour) -> dict[str, Any]:
    """The `usage` object; where reasoning is counted outside, the total alone has it all."""
    completion = usage.answer_tokens if flavour.outside else usage.output_tokens
    fields: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": completion,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
    if flavour.nulls:
        fields["prompt_cache_hit_tokens"] = usage.cached_input_tokens
        fields["prompt_cache_miss_tokens"] = usage.input_tokens - usage.cached_input_tokens
    return fields


def _whole_call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": "".join(call.pieces)}
    return {"id": call.id, "type": "function", "index": call.index, "function": function}


def refuse(refusal: Refusal, flavour: str) -> bytes:
    """The error object; DeepSeek's types and codes tell nothing apart, as in its recordings."""
    row = KINDS[refusal.kind]
    kind, code = row.deepseek if flavour == "deepseek" else row.openai
    error = {"message": refusal.message, "type": kind, "param": None, "code": code}
    return msgspec.json.encode({"error": error})


CHAT = Dialect("openai-chat", _PATH, parse, ChatRenderer, refuse)
