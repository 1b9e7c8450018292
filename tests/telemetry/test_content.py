"""Prompt and answer text: by opt-in, as the conventions write it, redacted, bounded."""

from __future__ import annotations

import json
from typing import Any

from sidecar.core.events import FinishReason
from sidecar.core.request import Completion, Image, ImageUrl, Message, Role, Text, Tool, ToolUse
from sidecar.telemetry import Output, RequestTrace, Telemetry

from .making import MS, T0, begun, one, simple, spans, telemetry

SECRET_PROMPT = Completion(
    model="default",
    messages=(
        Message(Role.SYSTEM, (Text("the system prompt"),)),
        Message(
            Role.USER,
            (Text("the question, key sk-123456"), ImageUrl("data:image/png;base64,AAAA")),
        ),
        Message(
            Role.ASSISTANT,
            (Text("the old answer"),),
            reasoning="the old thought",
            tool_calls=(ToolUse("t1", "look", '{"at":"sky"}'),),
        ),
        Message(Role.TOOL, (Text("the result"),), tool_call_id="t1"),
        Message(Role.USER, (Image(b"bytes", "image/png"),)),
    ),
    tools=(Tool("look", "looks", {"type": "object"}),),
)


def with_content(owner: Telemetry) -> RequestTrace:
    request = begun(owner, completion=SECRET_PROMPT)
    output = Output("the thought", "the answer", (ToolUse("t2", "look", "{}"),))
    request.finish(
        status_code="OK", finish_reason=FinishReason.TOOL_CALLS, output=output, now_ns=T0 + MS
    )
    return request


def test_no_content_leaves_without_opt_in() -> None:
    owner = telemetry()
    with_content(owner)
    pipeline = owner._pipeline
    assert pipeline is not None
    batch = pipeline.exporter._queue.take(1 << 30)
    assert batch is not None

    for text in (b"prompt", b"question", b"thought", b"answer", b"sky", b"result", b"looks"):
        assert text not in batch.data


def masked(text: str) -> str:
    return text.replace("sk-123456", "*")


def test_opted_in_content_is_written_as_the_conventions_say() -> None:
    found = one(
        spans(
            with_content, capture_content=True, redact=lambda text: text.replace("sk-123456", "*")
        ),
        "chat default",
    )

    def content(name: str) -> Any:
        return json.loads(found[f"gen_ai.{name}"])

    assert content("system_instructions") == [{"type": "text", "content": "the system prompt"}]
    assert content("input.messages") == [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "the question, key *"},
                {"type": "uri", "modality": "image", "uri": "data:image/png;base64"},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "the old thought"},
                {"type": "text", "content": "the old answer"},
                {"type": "tool_call", "id": "t1", "name": "look", "arguments": '{"at":"sky"}'},
            ],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "t1", "response": "the result"}],
        },
        {
            "role": "user",
            "parts": [
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": ""}
            ],
        },
    ]
    assert content("output.messages") == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "the thought"},
                {"type": "text", "content": "the answer"},
                {"type": "tool_call", "id": "t2", "name": "look", "arguments": "{}"},
            ],
            "finish_reason": "tool_call",
        }
    ]
    assert content("tool.definitions")[0]["name"] == "look"


def test_content_too_long_for_a_span_is_left_out_whole() -> None:
    long = Completion(model="default", messages=(Message(Role.USER, (Text("x" * 100_000),)),))
    found = spans(lambda owner: simple(owner, completion=long), capture_content=True)

    assert "gen_ai.input.messages" not in one(found, "chat default")
