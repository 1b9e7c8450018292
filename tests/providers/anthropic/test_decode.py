"""What the recordings of the Messages dialect do not show."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.events import Answer, FinishReason, Reasoning, Refusal, ToolCall
from sidecar.core.failure import Cause
from sidecar.core.request import Prefix
from sidecar.providers import signature
from sidecar.providers.anthropic.decode import usage_of
from tests.providers.streams import decoded, event

START = event({"type": "message_start", "message": {"id": "m1", "model": "c"}})
STOP = event({"type": "message_stop"})


def begin(index: int, kind: str, **more: Any) -> bytes:
    block = {"type": kind, **more}
    return event({"type": "content_block_start", "index": index, "content_block": block})


def delta(index: int, **more: Any) -> bytes:
    return event({"type": "content_block_delta", "index": index, "delta": more})


def ended(reason: str, **more: Any) -> bytes:
    return event({"type": "message_delta", "delta": {"stop_reason": reason, **more}})


def said(text: str) -> bytes:
    return delta(0, type="text_delta", text=text)


def test_a_stop_reason_and_the_end_of_the_body_are_enough() -> None:
    decoder, deltas = decoded("anthropic", START, said("a"), ended("end_turn"))
    assert deltas == [Answer("a")]
    assert decoder.failure is None


def test_the_end_of_the_body_alone_is_a_cut() -> None:
    decoder, _ = decoded("anthropic", START, said("a"))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CUT


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("pause_turn", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("model_context_window_exceeded", FinishReason.LENGTH),
        ("something_new", FinishReason.STOP),
    ],
)
def test_stop_reasons_are_normalised(reason: str, wanted: FinishReason) -> None:
    decoder, _ = decoded("anthropic", START, said("a"), ended(reason), STOP)
    assert decoder.report.finish_reason is wanted


def test_a_refusal_speaks_by_its_explanation() -> None:
    details = {"category": "cyber", "explanation": "I cannot help with that."}
    decoder, deltas = decoded("anthropic", START, ended("refusal", stop_details=details), STOP)
    assert deltas == [Refusal("I cannot help with that.")]
    assert decoder.report.finish_reason is FinishReason.REFUSAL


def test_an_error_event_is_a_failure() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    decoder, deltas = decoded("anthropic", START, said("a"), event(error, "error"))
    assert deltas == [Answer("a")]
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.OVERLOADED


def test_signed_and_redacted_thinking_is_kept_in_order() -> None:
    _, deltas = decoded(
        "anthropic",
        START,
        begin(0, "thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="a"),
        delta(0, type="thinking_delta", thinking="b"),
        delta(0, type="signature_delta", signature="s"),
        begin(1, "redacted_thinking", data="d"),
        begin(2, "tool_use", id="t", name="f", input={}),
        begin(3, "thinking", thinking="", signature=""),
        delta(3, type="thinking_delta", thinking="c"),
        delta(3, type="signature_delta", signature="u"),
        ended("tool_use"),
        STOP,
    )
    last = [d.signature for d in deltas if isinstance(d, Reasoning) and d.signature][-1]
    assert signature.unpack(last, "anthropic") == [
        {"type": "thinking", "thinking": "ab", "signature": "s", "at": 0},
        {"type": "redacted_thinking", "data": "d", "at": 0},
        {"type": "thinking", "thinking": "c", "signature": "u", "at": 1},
    ]


def test_a_tool_without_arguments_gets_an_empty_object() -> None:
    _, deltas = decoded(
        "anthropic",
        START,
        begin(0, "tool_use", id="t", name="f", input={}),
        delta(0, type="input_json_delta", partial_json=""),
        ended("tool_use"),
        STOP,
    )
    assert deltas == [ToolCall(0, "t", "f", ""), ToolCall(0, "", "", "{}")]


def test_arguments_of_the_servers_own_tools_are_no_tool_call() -> None:
    _, deltas = decoded(
        "anthropic",
        START,
        begin(0, "server_tool_use", id="t", name="web_search", input={}),
        delta(0, type="input_json_delta", partial_json='{"query":"x"}'),
        ended("end_turn"),
        STOP,
    )
    assert deltas == []


def test_usage_counts_overwrite_one_another_key_by_key() -> None:
    first = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}
    start = event({"type": "message_start", "message": {"usage": first}})
    last = event(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"input_tokens": 20, "output_tokens": 7},
        }
    )
    decoder, _ = decoded("anthropic", start, last, STOP)
    usage = decoder.usage
    assert usage is not None
    assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (25, 5, 7)


def test_the_cache_is_added_to_the_input() -> None:
    told = {
        "input_tokens": 1,
        "cache_read_input_tokens": 2,
        "cache_creation_input_tokens": 4,
        "output_tokens": 8,
        "output_tokens_details": {"thinking_tokens": 3},
    }
    usage, itemised = usage_of(told)
    assert usage.input_tokens == 7
    assert usage.cache_write_tokens == 4
    assert usage.reasoning_tokens == 3
    assert itemised


def test_thinking_that_is_not_itemised_is_split_off_by_its_share() -> None:
    start = event({"type": "message_start", "message": {"usage": {"output_tokens": 1}}})
    last = event(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 40},
        }
    )
    decoder, _ = decoded(
        "anthropic", start, delta(0, type="thinking_delta", thinking="x" * 30), said("y" * 10), last
    )
    assert decoder.usage is not None
    assert decoder.usage.reasoning_tokens == 30
    assert decoder.report.split_estimated


def test_blanks_that_a_prefill_ended_with_are_not_doubled() -> None:
    _, deltas = decoded(
        "anthropic", START, said(" "), said("warm"), ended("end_turn"), prefix=Prefix(answer="is ")
    )
    assert deltas == [Answer("warm")]


def test_unknown_events_and_blocks_are_nothing() -> None:
    decoder, deltas = decoded(
        "anthropic",
        START,
        event({"type": "ping"}),
        event({"type": "vertex_event"}),
        begin(0, "web_search_tool_result", content=[]),
        ended("end_turn"),
        STOP,
    )
    assert deltas == []
    assert decoder.failure is None


def test_the_end_mark_of_a_compatible_gateway_is_nothing() -> None:
    decoder, _ = decoded("anthropic", START, ended("end_turn"), b"event: data\ndata: [DONE]\n\n")
    assert decoder.failure is None
