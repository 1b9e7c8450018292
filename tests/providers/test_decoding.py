"""What all decoders share."""

from __future__ import annotations

import pytest

from sidecar.core.events import Answer, FinishReason
from sidecar.core.failure import Cause, Failure
from sidecar.providers.decoding import Decoding, DocumentFramer, refined
from sidecar.providers.merge import Merger
from sidecar.providers.replay import known
from sidecar.providers.sse import SseFramer
from sidecar.providers.table import DIALECTS

ERROR = Failure(Cause.SERVER_ERROR, "broken")


class Scripted(Decoding):
    """Each event is a word: a text to say, or what to do."""

    __slots__ = ()

    def on_event(self, data: bytes, name: bytes = b"") -> None:
        word = data.decode()
        if word == "finish":
            self.finish("stop", FinishReason.STOP)
        elif word == "fail":
            self.fail(ERROR)
        elif word == "done":
            self.done = True
        elif word == "garbled":
            self.unreadable(data)
        else:
            self.out.answer(word)


def fed(*words: str) -> Scripted:
    decoder = Scripted(SseFramer())
    for word in words:
        decoder.feed(f"data: {word}\n\n".encode())
    return decoder


def test_the_first_failure_stands() -> None:
    decoder = fed("fail", "finish")
    decoder.end()
    assert decoder.failure is ERROR
    assert not decoder.done


def test_a_failure_after_the_finish_is_late() -> None:
    decoder = fed("a", "finish", "fail")
    decoder.end()
    assert decoder.failure is None
    assert decoder.report.late_error is ERROR
    assert decoder.done


def test_a_garbled_event_after_the_finish_is_late() -> None:
    decoder = fed("a", "finish", "garbled")
    decoder.end()
    assert decoder.failure is None
    assert decoder.report.late_error is not None


def test_nothing_is_read_after_the_end_mark() -> None:
    decoder = fed("a", "finish", "done")
    assert decoder.feed(b"data: b\n\n") == []
    assert decoder.end() == []


def test_what_came_before_a_failure_in_one_read_is_given_out() -> None:
    decoder = Scripted(SseFramer())
    assert len(decoder.feed(b"data: a\n\ndata: fail\n\ndata: b\n\n")) == 1


def test_an_oversize_event_after_the_finish_is_late() -> None:
    decoder = Scripted(SseFramer(max_bytes=20))
    decoder.feed(b"data: finish\n\n")
    decoder.feed(b"data: " + b"x" * 30)
    assert decoder.failure is None
    assert decoder.report.late_error is not None


def said(*phases: str) -> Merger:
    out = Merger()
    for phase in phases:
        if phase == "tool_call":
            out.tool_call(0, "c", "f", "{}")
        else:
            getattr(out, phase)("x")
    return out


@pytest.mark.parametrize(
    ("reason", "phases", "wanted"),
    [
        (FinishReason.STOP, ("answer",), FinishReason.STOP),
        (FinishReason.STOP, ("answer", "tool_call"), FinishReason.TOOL_CALLS),
        (FinishReason.STOP, ("refusal",), FinishReason.REFUSAL),
        (FinishReason.STOP, ("answer", "refusal"), FinishReason.STOP),
        (FinishReason.LENGTH, ("reasoning",), FinishReason.LENGTH_IN_REASONING),
        (FinishReason.LENGTH, ("reasoning", "answer"), FinishReason.LENGTH),
        (FinishReason.LENGTH, ("reasoning", "tool_call"), FinishReason.LENGTH),
        (FinishReason.LENGTH, (), FinishReason.LENGTH),
        (FinishReason.LENGTH_IN_REASONING, ("answer",), FinishReason.LENGTH),
        (FinishReason.CONTENT_FILTER, ("answer", "tool_call"), FinishReason.CONTENT_FILTER),
    ],
)
def test_a_finish_reason_is_seen_with_what_was_said(
    reason: FinishReason, phases: tuple[str, ...], wanted: FinishReason
) -> None:
    out = said(*phases)
    assert refined(reason, out, out.reasoned) is wanted


def test_a_document_is_given_out_at_its_end() -> None:
    framer = DocumentFramer()
    assert framer.feed(b"\n\n") == []
    assert framer.feed(b'{"a"') == []
    assert framer.feed(b":1}\n") == []
    assert framer.end() == [b'{"a":1}']
    assert framer.keepalives == 1


def test_an_empty_document_is_no_event() -> None:
    assert DocumentFramer().end() == []


# A short answer of each dialect, with an id and a model that are no texts.
ODD_HEADS = {
    "openai-chat": b'data: {"id":7,"model":[1],"choices":[{"delta":{"content":"b"},'
    b'"finish_reason":"stop"}]}\n\n',
    "openai-responses": b'data: {"type":"response.created","response":{"id":7,"model":[1]}}\n\n'
    b'data: {"type":"response.output_text.delta","delta":"b"}\n\n'
    b'data: {"type":"response.completed","response":{"id":7,"status":"completed"}}\n\n',
    "anthropic": b'data: {"type":"message_start","message":{"id":7,"model":[1]}}\n\n'
    b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"b"}}\n\n'
    b'data: {"type":"message_stop"}\n\n',
    "gemini": b'data: {"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}],'
    b'"responseId":7,"modelVersion":[1]}\n\n',
    "gemini-interactions": b'data: {"event_type":"interaction.created","interaction":{"id":7,'
    b'"model":[1]}}\n\ndata: {"event_type":"step.delta","delta":{"type":"text","text":"b"}}\n\n'
    b'data: {"event_type":"interaction.completed","interaction":{"status":"completed"}}\n\n',
    "ollama": b'{"model":[1],"message":{"content":"b"},"done":true,"done_reason":"stop"}\n',
    "typed-event": b'data: {"id":7,"model":[1],"type":"answer","content":"b"}\n\ndata: [DONE]\n\n',
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_id_or_a_model_that_is_no_text_costs_no_answer(dialect: str) -> None:
    decoder = DIALECTS[dialect].decoder(known("generic"), True)
    deltas = decoder.feed(ODD_HEADS[dialect]) + decoder.end()
    assert deltas == [Answer("b")]
    assert (decoder.failure, decoder.report.finish_reason) == (None, FinishReason.STOP)
    assert decoder.report.response_model == ""
