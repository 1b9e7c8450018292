"""Ollama's own chat: a line of JSON for each token, no key, tool calls whole."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.testing.actions import Kind
from sidecar.testing.asked import Asked, Call, Incoming, OnPrefix, Plan, Speech
from sidecar.testing.dialects.base import (
    Dialect,
    Piece,
    Refusal,
    Stamp,
    arguments_of,
    must_be_list,
    texts_of,
)

_DONE = {"tool_calls": "stop"}


def parse(incoming: Incoming, match: re.Match[str], body: dict[str, Any]) -> Asked:
    """Read the request, which streams unless it says not to. Raises BadRequest."""
    messages = must_be_list(body, "messages")
    options = body.get("options") or {}
    last = messages[-1]
    stop = options.get("stop") or ()
    return Asked(
        dialect="ollama",
        flavour="ollama",
        model=str(body.get("model") or ""),
        stream=body.get("stream") is not False,
        texts=tuple(texts_of(message.get("content")) for message in messages),
        max_tokens=options.get("num_predict"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        seed=options.get("seed"),
        thinking=body.get("think") is not False,
        tools=tuple(str((t.get("function") or {}).get("name")) for t in body.get("tools") or ()),
        after_tool=last.get("role") == "tool",
        prefix=_prefix(last),
        on_prefix=OnPrefix.CONTINUE,
    )


def _prefix(last: dict[str, Any]) -> Prefix | None:
    if last.get("role") != "assistant":
        return None
    return Prefix(str(last.get("thinking") or ""), texts_of(last.get("content")))


class OllamaRenderer:
    """Lines; the last of them has `done`, its reason and the counts."""

    content_type = "application/x-ndjson"

    def __init__(self, asked: Asked, plan: Plan, stamp: Stamp) -> None:
        self._asked = asked
        self._pieces = 0
        self._arguments = ""

    def opening(self) -> list[bytes]:
        return []

    def reasoning(self, text: str) -> list[bytes]:
        return [self._line({"content": "", "thinking": text})]

    def answer(self, text: str) -> list[bytes]:
        return [self._line({"content": text})]

    def call(self, call: Call, piece: str, first: bool) -> list[bytes]:
        if first:
            self._arguments, self._pieces = "", 0
        self._arguments += piece
        self._pieces += 1
        if self._pieces < len(call.pieces):
            return []
        told = [_function(call.name, self._arguments)]
        return [self._line({"content": "", "tool_calls": told})]

    def closing(self, finish: str, usage: Usage | None) -> list[Piece]:
        return [Piece(Kind.FINISH, self._line({"content": ""}, **_ended(finish, usage)))]

    def whole(self, speech: Speech, usage: Usage | None) -> bytes:
        message: dict[str, Any] = {"content": "".join(speech.answer)}
        if speech.reasoning:
            message["thinking"] = "".join(speech.reasoning)
        if speech.calls:
            message["tool_calls"] = [_function(c.name, "".join(c.pieces)) for c in speech.calls]
        return self._line(message, **_ended(speech.finish, usage))

    def comment(self) -> bytes:
        return b"\n"

    def _line(self, message: dict[str, Any], **more: Any) -> bytes:
        line = {
            "model": self._asked.model,
            "created_at": "2026-11-02T12:00:00.000000Z",
            "message": {"role": "assistant", **message},
            "done": False,
        }
        return msgspec.json.encode(line | more) + b"\n"


def _ended(finish: str, usage: Usage | None) -> dict[str, Any]:
    ended: dict[str, Any] = {"done": True, "done_reason": _DONE.get(finish, finish)}
    if usage is not None:
        ended |= {"prompt_eval_count": usage.input_tokens, "eval_count": usage.output_tokens}
    return ended | {"total_duration": 1_000_000_000, "eval_duration": 900_000_000}


def _function(name: str, arguments: str) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments_of(arguments)}}


def refuse(refusal: Refusal, flavour: str) -> bytes:
    """Only a text."""
    return msgspec.json.encode({"error": refusal.message})


OLLAMA = Dialect(
    "ollama",
    re.compile(r"^(?:/.*)?/api/chat$"),
    parse,
    OllamaRenderer,
    refuse,
    keyless=True,
)
