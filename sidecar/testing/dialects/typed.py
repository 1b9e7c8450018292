"""The typed-event dialect: each event says whether it is reasoning or answer.

No provider in the recordings speaks it (reference "wire formats", section 13); this is its plainest
form. Requests are those of chat completions, at paths that begin with /typed/.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec.structs import replace

from sidecar.core.usage import Usage
from sidecar.testing.actions import Kind
from sidecar.testing.asked import Asked, Call, Incoming, Plan, Speech
from sidecar.testing.dialects import chat
from sidecar.testing.dialects.base import Dialect, Piece, Stamp, sse


def parse(incoming: Incoming, match: re.Match[str], body: dict[str, Any]) -> Asked:
    """Read the request. Raises BadRequest."""
    plain = replace(incoming, path="/v1/chat/completions")
    return replace(chat.parse(plain, match, body), dialect="typed-event", flavour="typed")


class TypedRenderer:
    """One event a token, and one of type "done" with the finish reason and the counts."""

    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, asked: Asked, plan: Plan, stamp: Stamp) -> None:
        self._asked = asked

    def opening(self) -> list[bytes]:
        return []

    def reasoning(self, text: str) -> list[bytes]:
        return [sse({"type": "reasoning", "content": text})]

    def answer(self, text: str) -> list[bytes]:
        return [sse({"type": "answer", "content": text})]

    def call(self, call: Call, piece: str, first: bool) -> list[bytes]:
        named = {"id": call.id, "name": call.name} if first else {}
        return [sse({"type": "tool_call", "index": call.index, **named, "arguments": piece})]

    def closing(self, finish: str, usage: Usage | None) -> list[Piece]:
        done = {"type": "done", "finish_reason": finish} | _told(usage)
        return [Piece(Kind.FINISH, sse(done)), Piece(Kind.DONE, sse(b"[DONE]"))]

    def whole(self, speech: Speech, usage: Usage | None) -> bytes:
        texts = {"reasoning": "".join(speech.reasoning), "answer": "".join(speech.answer)}
        told = _told(usage)
        return msgspec.json.encode(texts | {"finish_reason": speech.finish} | told)

    def comment(self) -> bytes:
        return b": keep-alive\n\n" if self._asked.stream else b"\n"


def _told(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    counts = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
    return {"usage": counts, "reasoning_tokens": usage.reasoning_tokens}


TYPED = Dialect(
    "typed-event",
    re.compile(r"^/typed(?:/.*)?/chat/completions$"),
    parse,
    TypedRenderer,
    chat.refuse,
)
