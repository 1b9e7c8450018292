"""What the recording of Interactions does not show."""

from __future__ import annotations

import json
from typing import Any

from sidecar.core.events import Answer, FinishReason, Reasoning, ToolCall
from sidecar.core.failure import Cause
from sidecar.providers import signature
from tests.providers.streams import decoded, event

NAME = "gemini-interactions"


def typed(kind: str, **more: Any) -> bytes:
    return event({"event_type": kind, **more}, kind)


def over(status: str) -> bytes:
    return typed("interaction.completed", interaction={"id": "i", "status": status})


def test_a_call_and_its_arguments_are_put_together() -> None:
    decoder, deltas = decoded(
        NAME,
        typed("step.start", index=0, step={"type": "function_call", "id": "c", "name": "f"}),
        typed("step.delta", index=0, delta={"type": "arguments_delta", "arguments": '{"a"'}),
        typed("step.delta", index=0, delta={"type": "arguments_delta", "arguments": ":1}"}),
        typed("step.stop", index=0),
        over("requires_action"),
    )
    assert "".join(d.arguments for d in deltas if isinstance(d, ToolCall)) == '{"a":1}'
    assert decoder.report.finish_reason is FinishReason.TOOL_CALLS


def test_arguments_may_come_with_the_start() -> None:
    step = {"type": "function_call", "id": "c", "name": "f", "arguments": {"a": 1}}
    _, deltas = decoded(NAME, typed("step.start", index=0, step=step), over("requires_action"))
    assert "".join(d.arguments for d in deltas if isinstance(d, ToolCall)) == '{"a":1}'


def test_a_failed_interaction_is_a_failure() -> None:
    decoder, _ = decoded(NAME, over("failed"))
    assert decoder.failure is not None


def test_an_error_event_is_a_failure() -> None:
    error = {"code": "rate_limited", "message": "slow down"}
    decoder, _ = decoded(NAME, typed("error", error=error))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.RATE_LIMITED


def test_the_end_mark_without_completion_is_a_cut() -> None:
    decoder, _ = decoded(NAME, b"event: done\ndata: [DONE]\n\n")
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CUT


def test_a_synchronous_interaction_is_read() -> None:
    document = {
        "id": "i",
        "status": "completed",
        "steps": [
            {"type": "thought", "signature": "s", "summary": [{"type": "text", "text": "t"}]},
            {"type": "model_output", "content": [{"type": "text", "text": "a"}]},
        ],
        "usage": {"total_input_tokens": 1, "total_output_tokens": 2, "total_thought_tokens": 3},
    }
    decoder, deltas = decoded(NAME, json.dumps(document).encode(), stream=False)
    packed = signature.pack(NAME, [{"signature": "s", "at": 0}])
    assert deltas == [Reasoning("t", packed), Answer("a")]
    assert decoder.usage is not None
    assert decoder.usage.output_tokens == 5
