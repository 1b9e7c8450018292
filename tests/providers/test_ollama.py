"""What the recordings of Ollama's native door do not show."""

from __future__ import annotations

import json
from typing import Any

from sidecar.core.events import Answer, FinishReason, Reasoning, ToolCall
from sidecar.core.failure import Cause
from tests.providers.streams import decoded


def line(**more: Any) -> bytes:
    return json.dumps({"model": "m", "done": False, **more}).encode() + b"\n"


def said(**message: Any) -> bytes:
    return line(message={"role": "assistant", **message})


DONE = line(done=True, done_reason="stop", eval_count=5, prompt_eval_count=3, message={})


def test_an_error_line_is_a_failure() -> None:
    decoder, deltas = decoded("ollama", said(content="a"), b'{"error":"model runner overloaded"}\n')
    assert deltas == [Answer("a")]
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.OVERLOADED


def test_the_end_of_the_body_without_done_is_a_cut() -> None:
    decoder, _ = decoded("ollama", said(content="a"))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CUT


def test_a_garbled_line_fails_cleanly() -> None:
    decoder, _ = decoded("ollama", said(content="a"), b"{garbled\n", DONE)
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.MALFORMED


def test_whole_calls_get_numbers_and_ids() -> None:
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    decoder, deltas = decoded("ollama", said(tool_calls=[call, call]), DONE)
    assert deltas == [
        ToolCall(0, "call_ollama_0", "f", '{"a": 1}'),
        ToolCall(1, "call_ollama_1", "f", '{"a": 1}'),
    ]
    assert decoder.report.finish_reason is FinishReason.TOOL_CALLS


def test_think_tags_of_older_models_are_told_apart() -> None:
    _, deltas = decoded("ollama", said(content="<think>a</th"), said(content="ink>b"), DONE)
    assert deltas == [Reasoning("a"), Answer("b")]


def test_a_missing_prompt_count_is_no_tokens() -> None:
    done = line(done=True, done_reason="length", eval_count=5)
    decoder, _ = decoded("ollama", said(content="a"), done)
    assert decoder.usage is not None
    assert decoder.usage.input_tokens == 0
    assert decoder.report.finish_reason is FinishReason.LENGTH


def test_a_synchronous_answer_is_read() -> None:
    document = {"message": {"content": "b", "thinking": "a"}, "done": True, "done_reason": "stop"}
    decoder, deltas = decoded("ollama", json.dumps(document).encode(), stream=False)
    assert deltas == [Reasoning("a"), Answer("b")]
    assert decoder.failure is None
