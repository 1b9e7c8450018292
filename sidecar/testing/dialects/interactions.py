"""Google's Interactions: steps that start, grow and stop; events named in their data as well."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sidecar.core.request import Prefix
from sidecar.core.usage import Usage
from sidecar.testing.actions import Kind
from sidecar.testing.asked import Asked, Call, Incoming, Plan, Speech
from sidecar.testing.dialects import gemini
from sidecar.testing.dialects.base import (
    BadRequest,
    Dialect,
    Piece,
    Stamp,
    arguments_of,
    must_be_list,
    seal,
    sse,
    texts_of,
)

_STATUS = {"stop": "completed", "length": "incomplete", "tool_calls": "requires_action"}


def parse(incoming: Incoming, match: re.Match[str], body: dict[str, Any]) -> Asked:
    """Read the request. Raises BadRequest."""
    steps = _steps(body)
    config = body.get("generation_config") or {}
    last = steps[-1]
    own = last.get("type") == "model_output"
    return Asked(
        dialect="gemini-interactions",
        flavour="gemini",
        model=str(body.get("model") or ""),
        stream=bool(body.get("stream")),
        texts=(str(body.get("system_instruction") or ""), *map(_text, steps)),
        max_tokens=config.get("max_output_tokens"),
        stop=tuple(config.get("stop_sequences") or ()),
        seed=config.get("seed"),
        # There is no off switch: "minimal" is the least that can be asked for.
        thinking=config.get("thinking_level") != "minimal",
        tools=tuple(str(tool.get("name", "")) for tool in body.get("tools") or ()),
        after_tool=last.get("type") == "function_result",
        prefix=Prefix(answer=_text(last)) if own else None,
        shows_reasoning=config.get("thinking_summaries") == "auto",
    )


def _steps(body: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(body.get("input"), str):
        return [{"type": "user_input", "content": body["input"]}]
    if "input" not in body:
        raise BadRequest("`input` is required")
    return must_be_list(body, "input")


def _text(step: dict[str, Any]) -> str:
    result = step.get("result")
    return result if isinstance(result, str) else texts_of(step.get("content"))


class InteractionsRenderer:
    """One step is open at a time; a thought ends with its signature."""

    content_type = "text/event-stream"

    def __init__(self, asked: Asked, plan: Plan, stamp: Stamp) -> None:
        self._asked = asked
        self._plan = plan
        self._id = f"v1_fake{stamp.number:08d}"
        self._index = -1
        self._open = ""
        self._thought = ""

    def opening(self) -> list[bytes]:
        return [self._told("interaction.created", "in_progress", None)]

    def reasoning(self, text: str) -> list[bytes]:
        self._thought += text
        if not self._asked.shows_reasoning:
            return self._begin("thought", {"type": "thought"})
        delta = {"type": "thought_summary", "content": {"text": text, "type": "text"}}
        return self._delta("thought", {"type": "thought"}, delta)

    def answer(self, text: str) -> list[bytes]:
        step = {"type": "model_output"}
        return self._delta("model_output", step, {"type": "text", "text": text})

    def call(self, call: Call, piece: str, first: bool) -> list[bytes]:
        step = {"type": "function_call", "id": call.id, "name": call.name, "arguments": {}}
        delta = {"type": "arguments_delta", "arguments": piece}
        return self._delta(f"call {call.index}", step, delta)

    def closing(self, finish: str, usage: Usage | None) -> list[Piece]:
        ended = [Piece(Kind.OTHER, data) for data in self._close()]
        status = _STATUS.get(finish, "failed")
        ended.append(Piece(Kind.FINISH, self._told("interaction.completed", status, usage)))
        return [*ended, Piece(Kind.DONE, sse(b"[DONE]", "done"))]

    def whole(self, speech: Speech, usage: Usage | None) -> bytes:
        steps: list[dict[str, Any]] = []
        if speech.reasoning:
            thought: dict[str, Any] = {"type": "thought"}
            if self._asked.shows_reasoning:
                thought["summary"] = [{"type": "text", "text": "".join(speech.reasoning)}]
            steps.append(thought)
        if speech.answer:
            content = [{"type": "text", "text": "".join(speech.answer)}]
            steps.append({"type": "model_output", "content": content})
        for call in speech.calls:
            made = {"type": "function_call", "id": call.id, "name": call.name}
            steps.append({**made, "arguments": arguments_of("".join(call.pieces))})
        status = _STATUS.get(speech.finish, "failed")
        return msgspec.json.encode({**self._interaction(status, usage), "steps": steps})

    def comment(self) -> bytes:
        return b": keep-alive\n\n" if self._asked.stream else b"\n"

    def _delta(self, kind: str, step: dict[str, Any], delta: dict[str, Any]) -> list[bytes]:
        begun = self._begin(kind, step)
        return [*begun, self._event("step.delta", index=self._index, delta=delta)]

    def _begin(self, kind: str, step: dict[str, Any]) -> list[bytes]:
        if kind == self._open:
            return []
        events = self._close()
        self._open = kind
        self._index += 1
        return [*events, self._event("step.start", index=self._index, step=step)]

    def _close(self) -> list[bytes]:
        if not self._open:
            return []
        events = [self._event("step.stop", index=self._index)]
        if self._open == "thought" and self._plan.demands:
            delta = {"type": "thought_signature", "signature": seal(self._thought)}
            events.insert(0, self._event("step.delta", index=self._index, delta=delta))
        self._open = ""
        return events

    def _told(self, event: str, status: str, usage: Usage | None) -> bytes:
        return self._event(event, interaction=self._interaction(status, usage))

    def _interaction(self, status: str, usage: Usage | None) -> dict[str, Any]:
        told = {} if usage is None else {"usage": usage_fields(usage)}
        about = {"id": self._id, "object": "interaction", "model": self._asked.model}
        return {**about, "status": status, **told}

    def _event(self, name: str, **fields: Any) -> bytes:
        return sse({**fields, "event_type": name}, name)


def usage_fields(usage: Usage) -> dict[str, int]:
    """Thoughts are counted beside the output."""
    return {
        "total_tokens": usage.total_tokens,
        "total_input_tokens": usage.input_tokens,
        "total_cached_tokens": usage.cached_input_tokens,
        "total_output_tokens": usage.answer_tokens,
        "total_tool_use_tokens": 0,
        "total_thought_tokens": usage.reasoning_tokens,
    }


INTERACTIONS = Dialect(
    "gemini-interactions",
    re.compile(r"^(?:/.*)?/interactions$"),
    parse,
    InteractionsRenderer,
    gemini.refuse,
    key_header="x-goog-api-key",
    statuses={"unauthorized": 400},
)
