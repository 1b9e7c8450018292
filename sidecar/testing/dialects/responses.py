"""Responses, as OpenAI (summaries of reasoning) and DeepSeek (raw reasoning) send them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.testing.actions import Kind
from sidecar.testing.asked import Asked, Call, Incoming, Plan, Speech
from sidecar.testing.dialects import chat
from sidecar.testing.dialects.base import (
    BadRequest,
    Dialect,
    Piece,
    Stamp,
    must_be_list,
    seal,
    sse,
    texts_of,
)

_ENDS: dict[str, tuple[str, str | None]] = {
    "stop": ("completed", None),
    "tool_calls": ("completed", None),
    "length": ("incomplete", "max_output_tokens"),
    "content_filter": ("incomplete", "content_filter"),
}


def parse(incoming: Incoming, match: re.Match[str], body: dict[str, Any]) -> Asked:
    """Read the request. Raises BadRequest."""
    items = _items(body)
    last = items[-1]
    own = last.get("role") == "assistant"
    return Asked(
        dialect="openai-responses",
        flavour="openai" if "/v1/" in incoming.path else "deepseek",
        model=str(body.get("model") or ""),
        stream=bool(body.get("stream")),
        texts=(str(body.get("instructions") or ""), *map(_text, items)),
        max_tokens=body.get("max_output_tokens"),
        thinking=(body.get("reasoning") or {}).get("effort") != "none",
        tools=tuple(str(tool.get("name", "")) for tool in body.get("tools") or ()),
        after_tool=last.get("type") == "function_call_output",
        prefix=Prefix(answer=_text(last)) if own else None,
    )


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(body.get("input"), str):
        return [{"role": "user", "content": body["input"]}]
    if "input" not in body:
        raise BadRequest("Missing required parameter: 'input'.")
    return must_be_list(body, "input")


def _text(item: dict[str, Any]) -> str:
    return texts_of(item.get("content") or item.get("output"))


class ResponsesRenderer:
    """Numbered, named events; items that are added, filled and done."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, asked: Asked, plan: Plan, stamp: Stamp) -> None:
        self._asked = asked
        self._stamp = stamp
        self._demands = plan.demands
        self._sequence = -1
        self._item: dict[str, Any] = {}
        self._said = ""
        self._output: list[dict[str, Any]] = []

    def opening(self) -> list[bytes]:
        response = self._response("in_progress", None, None)
        return [self._event(name, response=response) for name in _OPENING]

    def reasoning(self, text: str) -> list[bytes]:
        return self._delta("reasoning", text)

    def answer(self, text: str) -> list[bytes]:
        return self._delta("message", text)

    def call(self, call: Call, piece: str, first: bool) -> list[bytes]:
        return self._delta("function_call", piece, call)

    def closing(self, finish: str, usage: Usage | None) -> list[Piece]:
        pieces = [Piece(Kind.OTHER, data) for data in self._close()]
        status, reason = _ENDS.get(finish, ("failed", finish))
        response = self._response(status, reason, usage)
        event = self._event(f"response.{status}", response=response)
        return [*pieces, Piece(Kind.FINISH, event)]

    def whole(self, speech: Speech, usage: Usage | None) -> bytes:
        for text in speech.reasoning:
            self._delta("reasoning", text)
        for text in speech.answer:
            self._delta("message", text)
        for call in speech.calls:
            for piece in call.pieces:
                self._delta("function_call", piece, call)
        self._close()
        status, reason = _ENDS.get(speech.finish, ("failed", speech.finish))
        return msgspec.json.encode(self._response(status, reason, usage))

    def comment(self) -> bytes:
        return sse({"type": "keepalive"}, "keepalive") if self._asked.stream else b"\n"

    def _delta(self, kind: str, text: str, call: Call | None = None) -> list[bytes]:
        events = []
        started = self._item.get("type") == kind and (
            call is None or self._item.get("call_id") == call.id
        )
        if not started:
            events = [*self._close(), *self._begin(kind, call)]
        self._said += text
        return [*events, self._event(f"{self._words(kind)}.delta", delta=text, **self._place())]

    def _begin(self, kind: str, call: Call | None) -> list[bytes]:
        place = len(self._output)
        self._said = ""
        self._item = {"type": kind, "id": f"{kind[:2]}_fake_{place}", "status": "in_progress"}
        if call is not None:
            self._item |= {"call_id": call.id, "name": call.name, "arguments": ""}
        added = self._event("response.output_item.added", item=self._item, output_index=place)
        return [added, *self._part("added")]

    def _close(self) -> list[bytes]:
        if not self._item:
            return []
        kind, place = self._item["type"], self._place()
        field = "arguments" if kind == "function_call" else "text"
        done = self._event(f"{self._words(kind)}.done", **{field: self._said}, **place)
        events = [done, *self._part("done")]
        item = self._item | {"status": "completed"} | self._filled(kind)
        if kind == "reasoning" and self._demands and self._is_openai:
            item["encrypted_content"] = seal(self._said)
        self._output.append(item)
        self._item = {}
        item_done = self._event(
            "response.output_item.done", item=item, output_index=place["output_index"]
        )
        return [*events, item_done]

    def _part(self, verb: str) -> list[bytes]:
        """The part of an item that holds its text; tool calls have none."""
        kind, text = self._item["type"], self._said
        if kind == "function_call":
            return []
        if kind == "message":
            name, part = "content_part", {"type": "output_text", "text": text, "annotations": []}
        elif self._is_openai:
            name, part = "reasoning_summary_part", {"type": "summary_text", "text": text}
        else:
            name, part = "content_part", {"type": "reasoning_text", "text": text}
        return [self._event(f"response.{name}.{verb}", part=part, **self._place())]

    def _place(self) -> dict[str, Any]:
        place = {"item_id": self._item["id"], "output_index": len(self._output)}
        if self._item["type"] == "function_call":
            return place
        is_summary = self._is_openai and self._item["type"] == "reasoning"
        return place | {"summary_index" if is_summary else "content_index": 0}

    def _words(self, kind: str) -> str:
        thinks = "reasoning_summary_text" if self._is_openai else "reasoning_text"
        names = {"reasoning": thinks, "message": "output_text"}
        return f"response.{names.get(kind, 'function_call_arguments')}"

    def _filled(self, kind: str) -> dict[str, Any]:
        if kind == "function_call":
            return {"arguments": self._said}
        if kind == "message":
            text = {"type": "output_text", "text": self._said, "annotations": []}
            return {"role": "assistant", "content": [text]}
        if self._is_openai:
            return {"summary": [{"type": "summary_text", "text": self._said}]}
        return {"summary": [], "content": [{"type": "reasoning_text", "text": self._said}]}

    @property
    def _is_openai(self) -> bool:
        return self._asked.flavour == "openai"

    def _response(self, status: str, reason: str | None, usage: Usage | None) -> dict[str, Any]:
        failed = {"code": "server_error", "message": reason} if status == "failed" else None
        short = {"reason": reason} if status == "incomplete" else None
        return {
            "id": f"resp_fake_{self._stamp.number:08d}",
            "object": "response",
            "created_at": self._stamp.created,
            "status": status,
            "error": failed,
            "incomplete_details": short,
            "model": self._asked.model,
            "output": list(self._output),
            "usage": None if usage is None else usage_fields(usage),
            **_ECHO,
        }

    def _event(self, name: str, **fields: Any) -> bytes:
        self._sequence += 1
        return sse({"type": name, "sequence_number": self._sequence, **fields}, name)


_OPENING = ("response.created", "response.in_progress")
# Every response says again what was asked for, some of it under names that events use otherwise.
_ECHO: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "truncation": "disabled",
}


def usage_fields(usage: Usage) -> dict[str, Any]:
    """Input with what was cached; output with the reasoning."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


RESPONSES = Dialect(
    "openai-responses",
    re.compile(r"^(?:/.*)?/responses$"),
    parse,
    ResponsesRenderer,
    chat.refuse,
)
