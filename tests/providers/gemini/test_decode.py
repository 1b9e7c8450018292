"""What the recordings of generateContent do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.core.events import Answer, FinishReason, Reasoning, ToolCall
from sidecar.core.failure import Cause
from sidecar.providers import signature
from sidecar.providers.gemini.decode import Counts, usage_of
from tests.providers.streams import decoded, event


def chunk(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return event({"candidates": [candidate], "responseId": "r", **more})


def calls(deltas: list[Any]) -> list[tuple[str, Any]]:
    made: dict[int, list[str]] = {}
    for delta in deltas:
        if isinstance(delta, ToolCall):
            call = made.setdefault(delta.index, ["", ""])
            call[0] += delta.name
            call[1] += delta.arguments
    return [(name, json.loads(arguments)) for name, arguments in made.values()]


def test_a_finish_chunk_needs_no_content() -> None:
    bare = event({"candidates": [{"finishReason": "STOP", "index": 0}]})
    decoder, deltas = decoded("gemini", chunk({"text": "a"}), bare)
    assert deltas == [Answer("a")]
    assert decoder.failure is None


def test_the_end_of_the_body_without_a_finish_is_a_cut() -> None:
    decoder, _ = decoded("gemini", chunk({"text": "a"}))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CUT


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST"])
def test_a_filter_is_a_filter(reason: str) -> None:
    decoder, _ = decoded("gemini", chunk({"text": "a"}, finish=reason))
    assert decoder.report.finish_reason is FinishReason.CONTENT_FILTER


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "OTHER", "UNEXPECTED_TOOL_CALL"])
def test_a_breakdown_of_the_model_is_a_failure(reason: str) -> None:
    decoder, _ = decoded("gemini", chunk(finish=reason))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.SERVER_ERROR


def test_a_blocked_prompt_is_a_failure() -> None:
    decoder, _ = decoded("gemini", event({"promptFeedback": {"blockReason": "SAFETY"}}))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CONTENT_FILTER


BARE = b'{\r\n  "error": {\r\n    "code": 503,\r\n    "status": "UNAVAILABLE"\r\n  }\r\n}\r\n'


def test_a_bare_error_after_the_finish_is_only_noted() -> None:
    decoder, _ = decoded("gemini", chunk({"text": "a"}, finish="STOP"), BARE)
    assert decoder.failure is None
    assert decoder.report.late_error is not None
    assert decoder.report.late_error.cause is Cause.OVERLOADED


def test_a_bare_error_before_the_finish_is_a_failure() -> None:
    decoder, _ = decoded("gemini", chunk({"text": "a"}), BARE)
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.OVERLOADED


def test_an_error_in_an_event_is_the_same_failure() -> None:
    error = {"error": {"code": 503, "status": "UNAVAILABLE"}}
    decoder, _ = decoded("gemini", chunk({"text": "a"}), event(error))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.OVERLOADED


def test_calls_without_ids_get_one_each() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    _, deltas = decoded("gemini", chunk(call, call, finish="STOP"))
    ids = [delta.id for delta in deltas if isinstance(delta, ToolCall) and delta.id]
    assert len(set(ids)) == 2
    assert calls(deltas) == [("f", {"a": 1}), ("f", {"a": 1})]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    _, deltas = decoded("gemini", chunk({"functionCall": {"name": "f"}}, finish="STOP"))
    assert calls(deltas) == [("f", {})]


def test_arguments_streamed_path_by_path_become_one_object() -> None:
    def part(**call: Any) -> dict[str, Any]:
        return {"functionCall": call}

    def at(path: str, **value: Any) -> dict[str, Any]:
        return part(partialArgs=[{"jsonPath": path, **value}])

    decoder, deltas = decoded(
        "gemini",
        chunk(part(name="f", willContinue=True)),
        chunk(at("$.city", stringValue="Flor", willContinue=True)),
        chunk(at("$.city", stringValue="ence")),
        chunk(at("$.days[0].n", numberValue=1), at("$.days[1].n", numberValue=2)),
        chunk(at("$.dry", boolValue=True), at("$.wind", nullValue=None)),
        chunk(part()),
        chunk(part(name="g", args={})),
        chunk(finish="STOP"),
    )
    assert calls(deltas) == [
        ("f", {"city": "Florence", "days": [{"n": 1}, {"n": 2}], "dry": True, "wind": None}),
        ("g", {}),
    ]
    assert decoder.report.finish_reason is FinishReason.TOOL_CALLS


def test_signatures_are_kept_with_the_part_they_came_on() -> None:
    _, deltas = decoded(
        "gemini",
        chunk({"text": "t", "thought": True}),
        chunk({"functionCall": {"name": "f", "id": "i", "args": {}}, "thoughtSignature": "c"}),
        chunk({"functionCall": {"name": "g", "args": {}}}),
        chunk({"text": "", "thoughtSignature": "e"}, finish="STOP"),
    )
    last = [d.signature for d in deltas if isinstance(d, Reasoning) and d.signature][-1]
    assert signature.unpack(last, "gemini") == {"ids": {"0": "i"}, "calls": {"0": "c"}, "text": "e"}


def test_thoughts_lie_beside_the_candidates_count() -> None:
    usage = usage_of(
        Counts(
            promptTokenCount=10,
            cachedContentTokenCount=4,
            candidatesTokenCount=5,
            thoughtsTokenCount=7,
            toolUsePromptTokenCount=3,
        )
    )
    assert (usage.input_tokens, usage.cached_input_tokens) == (13, 4)
    assert (usage.output_tokens, usage.reasoning_tokens) == (12, 7)


def test_the_last_usage_counts_even_if_it_shrinks() -> None:
    decoder, _ = decoded(
        "gemini",
        chunk({"text": "a"}, usageMetadata={"promptTokenCount": 2304}),
        chunk(finish="STOP", usageMetadata={"promptTokenCount": 2301}),
    )
    assert decoder.usage is not None
    assert decoder.usage.input_tokens == 2301


def test_other_candidates_are_nobodys_answer() -> None:
    other = {"index": 1, "content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}
    decoder, deltas = decoded("gemini", event({"candidates": [other]}))
    assert deltas == []
    assert decoder.failure is not None
