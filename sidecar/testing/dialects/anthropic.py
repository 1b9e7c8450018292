"""Messages, as Anthropic sends them: blocks that start and stop, usage that grows."""

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
    arguments_of,
    must_be_list,
    seal,
    sse,
    texts_of,
    told_after,
)
from sidecar.testing.refusals import KINDS
from sidecar.testing.texts import input_tokens

# Where Anthropic's own words differ from everybody's.
_WORDS = {
    "context": "prompt is too long: 140004 tokens > 131072 maximum",
    "unauthorized": "invalid x-api-key",
    "quota": "This organization has reached its monthly spend limit: enforced_spend_limit_reached",
}
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def parse(incoming: Incoming, match: re.Match[str], body: dict[str, Any]) -> Asked:
    """Read the request. Raises BadRequest."""
    messages = must_be_list(body, "messages")
    if not isinstance(body.get("max_tokens"), int):
        raise BadRequest("max_tokens: Field required")
    last = messages[-1]
    thinks = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    prefix = Prefix(answer=_text(last)) if last.get("role") == "assistant" else None
    return Asked(
        dialect="anthropic",
        flavour="anthropic",
        model=str(body.get("model") or ""),
        stream=bool(body.get("stream")),
        texts=(texts_of(body.get("system")), *map(_text, messages)),
        max_tokens=body["max_tokens"],
        stop=tuple(body.get("stop_sequences") or ()),
        thinking=thinks,
        tools=tuple(str(tool.get("name", "")) for tool in body.get("tools") or ()),
        after_tool=told_after(last.get("content"), "tool_result"),
        prefix=prefix,
        # A prefill and thinking do not go together (reference "wire formats", section 4).
        on_prefix=OnPrefix.REFUSE if thinks else OnPrefix.CONTINUE,
    )


def _text(message: dict[str, Any]) -> str:
    return texts_of(message.get("content"))


class AnthropicRenderer:
    """Named events; one content block is open at a time."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, asked: Asked, plan: Plan, stamp: Stamp) -> None:
        self._asked = asked
        self._plan = plan
        self._id = f"msg_fake_{stamp.number:08d}"
        self._index = -1
        self._open = ""
        self._thought = ""

    def opening(self) -> list[bytes]:
        total = input_tokens(self._asked.texts)
        cached = min(self._plan.cached_tokens, total)
        # The count of output is a placeholder here; the last message_delta has the truth.
        usage = Usage(input_tokens=total, cached_input_tokens=cached, output_tokens=1)
        message = self._message([], None, usage if self._plan.told == "exact" else Usage())
        return [_event("message_start", message=message), _event("ping")]

    def reasoning(self, text: str) -> list[bytes]:
        block = {"type": "thinking", "thinking": "", "signature": ""}
        self._thought = text if self._open != "thinking" else self._thought + text
        return self._delta("thinking", block, {"type": "thinking_delta", "thinking": text})

    def answer(self, text: str) -> list[bytes]:
        block = {"type": "text", "text": ""}
        return self._delta("text", block, {"type": "text_delta", "text": text})

    def call(self, call: Call, piece: str, first: bool) -> list[bytes]:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": piece}
        return self._delta(f"tool {call.index}", block, delta)

    def closing(self, finish: str, usage: Usage | None) -> list[Piece]:
        ended = [Piece(Kind.OTHER, data) for data in self._close()]
        delta = {"stop_reason": _STOPS.get(finish, finish), "stop_sequence": None}
        told = {} if usage is None else {"usage": usage_fields(usage)}
        ended.append(Piece(Kind.FINISH, _event("message_delta", delta=delta, **told)))
        return [*ended, Piece(Kind.DONE, _event("message_stop"))]

    def whole(self, speech: Speech, usage: Usage | None) -> bytes:
        blocks: list[dict[str, Any]] = []
        if speech.reasoning:
            thought = "".join(speech.reasoning)
            blocks.append({"type": "thinking", "thinking": thought, "signature": seal(thought)})
        if speech.answer:
            blocks.append({"type": "text", "text": "".join(speech.answer)})
        for call in speech.calls:
            told = {"type": "tool_use", "id": call.id, "name": call.name}
            blocks.append(told | {"input": arguments_of("".join(call.pieces))})
        return msgspec.json.encode(self._message(blocks, speech.finish, usage))

    def comment(self) -> bytes:
        return _event("ping") if self._asked.stream else b"\n"

    def _delta(self, kind: str, block: dict[str, Any], delta: dict[str, Any]) -> list[bytes]:
        events = []
        if kind != self._open:
            events = self._close()
            self._open = kind
            self._index += 1
            events.append(_event("content_block_start", index=self._index, content_block=block))
        return [*events, _event("content_block_delta", index=self._index, delta=delta)]

    def _close(self) -> list[bytes]:
        if not self._open:
            return []
        events = [_event("content_block_stop", index=self._index)]
        if self._open == "thinking":
            delta = {"type": "signature_delta", "signature": seal(self._thought)}
            events.insert(0, _event("content_block_delta", index=self._index, delta=delta))
        self._open = ""
        return events

    def _message(
        self, blocks: list[dict[str, Any]], finish: str | None, usage: Usage | None
    ) -> dict[str, Any]:
        told = {} if usage is None else {"usage": usage_fields(usage)}
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._asked.model,
            "content": blocks,
            "stop_reason": None if finish is None else _STOPS.get(finish, finish),
            "stop_sequence": None,
            **told,
        }


def usage_fields(usage: Usage) -> dict[str, Any]:
    """Input without what was cached; output with the thinking."""
    return {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def _event(name: str, **fields: Any) -> bytes:
    return sse({"type": name, **fields}, name)


def refuse(refusal: Refusal, flavour: str) -> bytes:
    """Type and message; the request's id beside them."""
    row = KINDS[refusal.kind]
    usual = refusal.message == row.message
    message = _WORDS.get(refusal.kind, refusal.message) if usual else refusal.message
    error = {"type": row.anthropic, "message": message}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": "req_fake"})


ANTHROPIC = Dialect(
    "anthropic",
    re.compile(r"^(?:/.*)?/messages$"),
    parse,
    AnthropicRenderer,
    refuse,
    key_header="x-api-key",
)
