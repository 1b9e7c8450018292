"""Traps of the chat dialect that no recording shows, one by one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sidecar.core.events import Answer, Delta, FinishReason, Reasoning, Refusal, ToolCall
from sidecar.core.failure import Cause
from sidecar.providers import signature
from sidecar.providers.openai_chat.decode import ChatDecoder
from sidecar.providers.profiles import Quirks

STOP = {"finish_reason": "stop"}


def event(document: Any, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(document)}\n\n".encode()


def chunk(delta: dict[str, Any] | None = None, **more: Any) -> bytes:
    """One chunk; `finish_reason` goes to the choice, everything else beside it."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": more.pop("finish_reason", None)}
    return event({"id": "r1", "model": "m", "choices": [choice], **more})


def answer(text: str) -> bytes:
    return chunk({"content": text})


DONE = b"data: [DONE]\n\n"


def decoded(*pieces: bytes, quirks: Quirks | None = None) -> tuple[ChatDecoder, list[Delta]]:
    decoder = ChatDecoder(quirks or Quirks(), True)
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return decoder, deltas + decoder.end()


def test_what_arrives_together_leaves_together() -> None:
    decoder = ChatDecoder(Quirks(), True)
    deltas = decoder.feed(answer("a") + answer("b") + answer("c"))
    assert deltas == [Answer("abc")]


def test_reasoning_and_answer_are_never_merged() -> None:
    decoder = ChatDecoder(Quirks(), True)
    deltas = decoder.feed(
        chunk({"reasoning_content": "a"}) + chunk({"reasoning_content": "b"}) + answer("c")
    )
    assert deltas == [Reasoning("ab"), Answer("c")]


def test_an_empty_content_does_not_end_the_reasoning() -> None:
    decoder = ChatDecoder(Quirks(), True)
    deltas = decoder.feed(
        chunk({"reasoning": "a", "content": ""}) + chunk({"reasoning": "b", "content": ""})
    )
    assert deltas == [Reasoning("ab")]


def test_the_same_reasoning_in_two_fields_is_told_once() -> None:
    details = [{"type": "reasoning.text", "text": "a"}]
    _, deltas = decoded(chunk({"reasoning": "a", "reasoning_details": details}))
    assert deltas == [Reasoning("a")]


def test_the_first_source_that_speaks_stays_the_source() -> None:
    _, deltas = decoded(chunk({"reasoning": "a"}), chunk({"reasoning_content": "b"}))
    assert deltas == [Reasoning("a")]


def test_details_alone_are_a_source_too() -> None:
    _, deltas = decoded(chunk({"reasoning_details": [{"type": "x", "summary": "a"}]}))
    assert deltas == [Reasoning("a")]


def test_a_finish_reason_and_the_end_of_the_body_are_enough() -> None:
    decoder, _ = decoded(answer("a"), chunk(**STOP))
    assert decoder.failure is None
    assert decoder.done


def test_the_end_mark_without_a_finish_reason_is_a_cut() -> None:
    decoder, _ = decoded(answer("a"), DONE)
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CUT


def test_an_empty_body_is_a_cut() -> None:
    decoder, _ = decoded()
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CUT


def test_reading_may_stop_at_the_end_mark() -> None:
    decoder = ChatDecoder(Quirks(), True)
    decoder.feed(answer("a") + chunk(**STOP) + DONE)
    assert decoder.done


def test_usage_behind_the_finish_is_still_read() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    decoder, _ = decoded(answer("a"), chunk(**STOP), event({"choices": [], "usage": usage}), DONE)
    assert decoder.usage is not None
    assert decoder.usage.input_tokens == 3


def test_the_last_usage_that_is_one_counts() -> None:
    decoder, _ = decoded(
        chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 1}),
        chunk({"content": "b"}, usage={"prompt_tokens": 3, "completion_tokens": 2}),
        chunk(**STOP, usage=None),
    )
    assert decoder.usage is not None
    assert decoder.usage.output_tokens == 2


def test_the_last_finish_reason_stands() -> None:
    decoder, _ = decoded(answer("a"), chunk(**STOP), chunk(finish_reason="tool_calls"), chunk())
    assert decoder.report.native_finish == "tool_calls"


def test_nothing_unsays_a_length() -> None:
    decoder, _ = decoded(answer("a"), chunk(finish_reason="length"), chunk(finish_reason="stop"))
    assert decoder.report.finish_reason is FinishReason.LENGTH


def test_text_in_the_finish_chunk_is_text() -> None:
    _, deltas = decoded(chunk({"content": "a"}, **STOP))
    assert deltas == [Answer("a")]


def test_thinking_and_text_in_one_array_come_in_this_order() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "a"}], "closed": True},
        {"type": "text", "text": "b"},
    ]
    _, deltas = decoded(chunk({"content": parts}), answer("c"), chunk(**STOP))
    assert deltas == [Reasoning("a"), Answer("b"), Answer("c")]


def test_only_the_first_of_several_answers_is_told() -> None:
    both = event(
        {
            "choices": [
                {"index": 1, "delta": {"content": "x"}, "finish_reason": "stop"},
                {"index": 0, "delta": {"content": "a"}},
            ]
        }
    )
    decoder, deltas = decoded(both)
    assert deltas == [Answer("a")]
    assert decoder.failure is not None


def test_a_refusal_is_neither_answer_nor_reasoning() -> None:
    decoder, deltas = decoded(chunk({"refusal": "I "}), chunk({"refusal": "won't"}), chunk(**STOP))
    assert deltas == [Refusal("I "), Refusal("won't")]
    assert decoder.report.finish_reason is FinishReason.REFUSAL


def test_a_length_that_was_all_reasoning_is_its_own_reason() -> None:
    usage = {
        "prompt_tokens": 1,
        "completion_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 9},
    }
    decoder, _ = decoded(chunk(finish_reason="length"), event({"choices": [], "usage": usage}))
    assert decoder.report.finish_reason is FinishReason.LENGTH_IN_REASONING


def test_a_length_with_an_answer_is_a_length() -> None:
    decoder, _ = decoded(chunk({"reasoning": "a"}), answer("b"), chunk(finish_reason="length"))
    assert decoder.report.finish_reason is FinishReason.LENGTH


def test_stop_with_tool_calls_means_tool_calls() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    decoder, _ = decoded(chunk({"tool_calls": [call]}, **STOP))
    assert decoder.report.finish_reason is FinishReason.TOOL_CALLS
    assert decoder.report.native_finish == "stop"


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("insufficient_system_resource", Cause.OVERLOADED),
        ("error", Cause.SERVER_ERROR),
        ("abort", Cause.SERVER_ERROR),
    ],
)
def test_a_finish_reason_that_is_none_is_a_failure(reason: str, cause: Cause) -> None:
    decoder, deltas = decoded(answer("a"), chunk(finish_reason=reason), DONE)
    assert deltas == [Answer("a")]
    assert decoder.failure is not None
    assert decoder.failure.cause is cause
    assert decoder.report.finish_reason is None


def test_finish_reason_error_with_its_error_takes_the_errors_cause() -> None:
    decoder, _ = decoded(
        answer("a"), chunk(finish_reason="error", error={"code": 429, "message": "rate limit"})
    )
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.RATE_LIMITED


def test_an_error_before_the_finish_is_a_failure_and_no_text() -> None:
    decoder, deltas = decoded(answer("a"), event({"error": {"message": "overloaded"}}), DONE)
    assert deltas == [Answer("a")]
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.OVERLOADED


def test_an_error_after_the_finish_is_only_noted() -> None:
    decoder, _ = decoded(
        answer("a"),
        chunk(finish_reason="length"),
        event({"error": {"code": 400, "message": "Token limit reached"}}),
        DONE,
    )
    assert decoder.failure is None
    assert decoder.report.late_error is not None
    assert decoder.report.finish_reason is FinishReason.LENGTH


def test_an_error_in_a_field_that_sse_does_not_know_is_heard() -> None:
    decoder, _ = decoded(answer("a"), b'error: {"code":500,"message":"no"}\n\n')
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.SERVER_ERROR


def test_an_error_document_in_place_of_a_stream_is_heard() -> None:
    decoder, _ = decoded(b'{"error": {"message": "Insufficient Balance", "code": "x"}}')
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.QUOTA


def test_an_error_document_without_an_error_field_is_heard() -> None:
    decoder, _ = decoded(b'{"object":"error","message":"rate limit hit","code":429}')
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.RATE_LIMITED


def test_a_page_in_place_of_a_stream_is_a_servers_error() -> None:
    decoder, deltas = decoded(b"<!DOCTYPE html>\n<html><body>busy</body></html>\n")
    assert deltas == []
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.SERVER_ERROR


def test_a_whole_document_in_place_of_a_stream_is_an_answer() -> None:
    document = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}
    decoder, deltas = decoded(json.dumps(document, indent=1).encode())
    assert deltas == [Answer("a")]
    assert decoder.failure is None


def test_a_garbled_event_fails_cleanly() -> None:
    decoder, deltas = decoded(answer("a"), b"data: {garbled\n\n", answer("b"), chunk(**STOP))
    assert deltas == [Answer("a")]
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.MALFORMED


def test_a_torn_last_event_is_a_cut() -> None:
    decoder, deltas = decoded(answer("a"), answer("b")[:-8])
    assert deltas == [Answer("a")]
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CUT


def test_a_monstrous_event_fails_cleanly() -> None:
    decoder, _ = decoded(b"data: " + b"x" * (17 << 20))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.MALFORMED


def test_infinity_and_lone_surrogates_are_survived() -> None:
    odd = b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}],"speed":Infinity}\n\n'
    _, deltas = decoded(odd, chunk(**STOP))
    assert deltas == [Answer("a\ufffd")]


def test_unknown_finish_reasons_are_a_stop_in_the_providers_words() -> None:
    decoder, _ = decoded(answer("a"), chunk(finish_reason="sleepy"))
    assert decoder.report.finish_reason is FinishReason.STOP
    assert decoder.report.native_finish == "sleepy"


def test_a_leaked_closing_tag_does_not_reach_the_answer() -> None:
    _, deltas = decoded(
        chunk({"reasoning": "a"}),
        answer("</think>"),
        answer("b"),
        chunk(**STOP),
        quirks=Quirks(think_tags="open"),
    )
    assert deltas == [Reasoning("a"), Answer("b")]


def test_keep_alives_are_counted() -> None:
    decoder = ChatDecoder(Quirks(), True)
    decoder.feed(b": keep-alive\n\n: keep-alive\n\n")
    assert decoder.keepalives == 2


def test_the_upstream_behind_an_aggregator_is_told() -> None:
    decoder, _ = decoded(chunk({"content": "a"}, provider="Minimax"))
    assert decoder.report.upstream == "Minimax"


def test_opaque_reasoning_details_come_back_as_one_signature() -> None:
    first = {"type": "reasoning.text", "index": 0, "text": "a"}
    second = {"type": "reasoning.text", "index": 0, "text": "b", "signature": "s"}
    _, deltas = decoded(
        chunk({"reasoning": "a", "reasoning_details": [first]}),
        chunk({"reasoning": "b", "reasoning_details": [second]}),
        answer("c"),
        chunk(**STOP),
    )
    signed = [d.signature for d in deltas if isinstance(d, Reasoning) and d.signature]
    assert len(signed) == 1
    assert signature.unpack(signed[0], "openai-chat") == [
        {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"}
    ]


def test_a_synchronous_answer_may_come_in_pieces_after_blank_lines() -> None:
    document = {
        "id": "r",
        "model": "m",
        "choices": [
            {
                "message": {
                    "content": "b",
                    "reasoning_content": "a",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
                },
                "finish_reason": "tool_calls",
            }
        ],
    }
    decoder = ChatDecoder(Quirks(), False)
    body = b"\n\n\n" + json.dumps(document).encode()
    deltas = [d for i in range(len(body)) for d in decoder.feed(body[i : i + 1])] + decoder.end()
    assert deltas == [Reasoning("a"), Answer("b"), ToolCall(0, "c", "f", "{}")]
    assert decoder.keepalives == 3
    assert decoder.failure is None


@pytest.mark.parametrize("body", [b"", b"\n\n", b'{"choices": [', b"[]", b"null", b"{}"])
def test_a_synchronous_answer_that_is_none_fails(body: bytes) -> None:
    decoder = ChatDecoder(Quirks(), False)
    decoder.feed(body)
    decoder.end()
    assert decoder.failure is not None


def test_a_decoder_does_not_show_its_key() -> None:
    decoder = ChatDecoder(Quirks(), True, key="plainword")
    decoder.feed(event({"error": {"message": "plainword is bad", "code": 401}}))
    assert decoder.failure is not None
    assert "plainword" not in msgspec.json.encode(decoder.failure).decode()
