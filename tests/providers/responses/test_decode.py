"""What the recordings of the Responses dialect do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.core.events import Answer, FinishReason, Reasoning, Refusal, ToolCall
from sidecar.core.failure import Cause
from sidecar.providers import signature
from sidecar.providers.responses.decode import usage_of
from tests.providers.streams import decoded, event

NAME = "openai-responses"


def typed(kind: str, **more: Any) -> bytes:
    return event({"type": kind, **more}, kind)


def text(piece: str) -> bytes:
    return typed("response.output_text.delta", delta=piece, output_index=0)


def over(status: str, **more: Any) -> bytes:
    return typed(f"response.{status}", response={"id": "r", "status": status, **more})


def test_a_completed_response_is_whole_without_an_end_mark() -> None:
    decoder, deltas = decoded(NAME, text("a"), over("completed"))
    assert deltas == [Answer("a")]
    assert decoder.failure is None
    assert decoder.report.native_finish == "completed"


def test_an_end_mark_where_none_is_expected_is_nothing() -> None:
    decoder, _ = decoded(NAME, text("a"), b"data: [DONE]\n\n", over("completed"))
    assert decoder.failure is None


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("max_output_tokens", FinishReason.LENGTH),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("novel", FinishReason.LENGTH),
    ],
)
def test_an_incomplete_response_says_why(reason: str, wanted: FinishReason) -> None:
    decoder, _ = decoded(NAME, text("a"), over("incomplete", incomplete_details={"reason": reason}))
    assert decoder.report.finish_reason is wanted


NESTED = {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}
FLAT = {"code": "insufficient_quota", "message": "You exceeded your current quota", "param": None}


@pytest.mark.parametrize("error", [NESTED, FLAT], ids=["nested", "flat"])
def test_an_error_event_is_one_failure_in_both_forms(error: dict[str, Any]) -> None:
    failed = over("failed", error={"code": "server_error", "message": "failed"})
    decoder, deltas = decoded(NAME, text("a"), typed("error", **error), failed)
    assert deltas == [Answer("a")]
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.QUOTA


def test_a_failed_response_is_a_failure() -> None:
    error = {"code": "rate_limit_exceeded", "message": "slow down"}
    decoder, _ = decoded(NAME, over("failed", error=error))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.RATE_LIMITED


def test_a_cancelled_response_is_a_failure() -> None:
    decoder, _ = decoded(NAME, text("a"), over("cancelled"))
    assert decoder.failure is not None


def test_unknown_events_are_nothing() -> None:
    decoder, deltas = decoded(
        NAME,
        typed("keepalive", sequence_number=3),
        typed("response.queued", response={"status": "queued"}),
        typed("response.web_search_call.searching", output_index=0),
        over("completed"),
    )
    assert deltas == []
    assert decoder.failure is None


def test_calls_go_by_their_place_because_ids_may_change() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}
    _, deltas = decoded(
        NAME,
        typed("response.output_item.added", output_index=1, item={**item, "id": "one"}),
        typed(
            "response.function_call_arguments.delta", output_index=1, item_id="two", delta='{"a"'
        ),
        typed("response.function_call_arguments.delta", output_index=1, delta=":1}"),
        typed("response.function_call_arguments.done", output_index=1, arguments='{"a":1}'),
        typed("response.output_item.done", output_index=1, item={**item, "arguments": '{"a":1}'}),
        over("completed"),
    )
    assert deltas[0] == ToolCall(0, "c", "f", "")
    assert "".join(d.arguments for d in deltas if isinstance(d, ToolCall)) == '{"a":1}'


def test_arguments_that_come_only_at_the_end_are_taken() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'}
    _, deltas = decoded(
        NAME, typed("response.output_item.done", output_index=0, item=item), over("completed")
    )
    assert deltas == [ToolCall(0, "c", "f", '{"a":1}')]


def test_only_one_kind_of_reasoning_is_told() -> None:
    _, deltas = decoded(
        NAME,
        typed("response.reasoning_text.delta", delta="raw"),
        typed("response.reasoning_summary_text.delta", delta="summary"),
        over("completed"),
    )
    assert deltas == [Reasoning("raw")]


def test_encrypted_reasoning_goes_into_the_signature() -> None:
    item = {
        "type": "reasoning",
        "id": "rs",
        "encrypted_content": "e",
        "summary": [{"type": "summary_text", "text": "s"}],
    }
    _, deltas = decoded(
        NAME, typed("response.output_item.done", output_index=0, item=item), over("completed")
    )
    assert isinstance(deltas[0], Reasoning)
    assert signature.unpack(deltas[0].signature, NAME) == [
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "s"}],
            "at": 0,
            "id": "rs",
            "encrypted_content": "e",
        }
    ]


def test_a_response_that_told_nothing_in_pieces_is_read_as_a_whole() -> None:
    output = [{"type": "message", "content": [{"type": "output_text", "text": "a"}]}]
    _, deltas = decoded(NAME, over("completed", output=output))
    assert deltas == [Answer("a")]


def test_a_synchronous_response_is_read() -> None:
    document = {
        "id": "r",
        "model": "m",
        "status": "completed",
        "output": [
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "t"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]},
        ],
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    }
    decoder, deltas = decoded(NAME, json.dumps(document).encode(), stream=False)
    assert deltas == [Reasoning("t"), Answer("a"), ToolCall(0, "c", "f", "{}"), Refusal("no")]
    assert decoder.report.finish_reason is FinishReason.TOOL_CALLS


def test_a_synchronous_error_in_a_200_is_a_failure() -> None:
    body = json.dumps({"error": {"message": "overloaded", "code": None}}).encode()
    decoder, _ = decoded(NAME, body, stream=False)
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.OVERLOADED


def test_usage_beyond_the_reported_output_is_output() -> None:
    usage, itemised = usage_of({"input_tokens": 10, "output_tokens": 5, "total_tokens": 20})
    assert usage.output_tokens == 10
    assert not itemised
