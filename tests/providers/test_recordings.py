"""Every recording: whole, byte by byte, in random cuts, truncated at every event."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from sidecar.core.failure import Cause
from tests.providers.recorded import (
    Recording,
    cut_at_random,
    event_ends,
    outcome,
    recordings,
)

ANSWERS = recordings("stream", "sync")
STREAMS = recordings("stream")
# Streams whose recording holds an error before any finish reason.
BROKEN = {
    "groq/midstream-tool-use-failed": Cause.REQUEST_REFUSED,
    "anthropic/midstream-overloaded-composite": Cause.OVERLOADED,
}
FINISH_WORDS = {
    "chat": ("finish_reason",),
    "gemini": ("finishReason",),
    "anthropic": ("stop_reason",),
    "ollama": ("done_reason",),
}
TERMINAL_EVENTS = (
    "response.completed",
    "response.incomplete",
    "response.failed",
    "interaction.completed",
)


def each(recorded: list[Recording]) -> Any:
    return pytest.mark.parametrize("recording", recorded, ids=[r.id for r in recorded])


def as_json(text: str) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def finish_told(body: bytes) -> bool:
    """A second, simple reading: does any whole line of `body` tell that the model finished?"""
    for line in body.splitlines():
        text = line.removeprefix(b"data:").strip()
        if not text.startswith(b"{"):
            continue
        try:
            document = json.loads(text)
        except ValueError:
            continue
        if _finished(document):
            return True
    return False


def _finished(document: Any) -> bool:
    if isinstance(document, list):
        return any(_finished(item) for item in document)
    if not isinstance(document, dict) or document.get("index"):
        return False
    if (document.get("type") or document.get("event_type")) in TERMINAL_EVENTS:
        return True
    words = [word for words in FINISH_WORDS.values() for word in words]
    if any(document.get(word) for word in words):
        return True
    inner = [document.get(name) for name in ("choices", "candidates", "delta")]
    return any(_finished(item) for item in inner)


@each(ANSWERS)
def test_a_recording_decodes_to_what_was_said(recording: Recording) -> None:
    got, expected = outcome(recording.decoder(), [recording.body]), recording.expected
    split = expected.get("think_tags") or {}
    assert got["reasoning"].strip() == split.get("inner", expected.get("reasoning", "")).strip()
    assert got["answer"].strip() == split.get("after", expected.get("answer", "")).strip()


@each([r for r in ANSWERS if not r.expected.get("think_tags")])
def test_nothing_is_trimmed_from_a_text(recording: Recording) -> None:
    got = outcome(recording.decoder(), [recording.body])
    assert got["reasoning"] == recording.expected.get("reasoning", "")
    assert got["answer"] == recording.expected.get("answer", "")


@each(ANSWERS)
def test_tool_calls_are_put_together(recording: Recording) -> None:
    got = outcome(recording.decoder(), [recording.body])["tool_calls"]
    wanted = recording.expected.get("tool_calls") or []
    assert [(c["name"], as_json(c["arguments"])) for c in got] == [
        (c["name"], as_json(c["arguments"])) for c in wanted
    ]


@each(ANSWERS)
def test_every_tool_call_has_an_id_and_the_providers_where_it_gave_one(
    recording: Recording,
) -> None:
    got = outcome(recording.decoder(), [recording.body])["tool_calls"]
    for call, wanted in zip(got, recording.expected.get("tool_calls") or [], strict=True):
        assert call["id"] == (wanted.get("call_id") or wanted.get("id") or call["id"])
        assert call["id"]


@each(ANSWERS)
def test_the_finish_reason_is_the_providers_own_word(recording: Recording) -> None:
    expected = recording.expected
    word = expected.get("finish_reason", expected.get("stop_reason", expected.get("status")))
    assert outcome(recording.decoder(), [recording.body]).get("finish_reason") == word


@each([r for r in ANSWERS if r.expected.get("usage")])
def test_usage_is_normalised(recording: Recording) -> None:
    usage = outcome(recording.decoder(), [recording.body])["usage"]
    told = {name: recording.expected["usage"].get(name) for name in usage}
    assert usage == {name: usage[name] if told[name] is None else told[name] for name in usage}


@each(ANSWERS)
def test_only_a_broken_recording_fails(recording: Recording) -> None:
    decoder = recording.decoder()
    outcome(decoder, [recording.body])
    cause = decoder.failure.cause if decoder.failure else None
    assert cause == BROKEN.get(recording.id)


@each(ANSWERS)
def test_byte_by_byte_is_the_same(recording: Recording) -> None:
    pieces = [recording.body[i : i + 1] for i in range(len(recording.body))]
    whole = outcome(recording.decoder(), [recording.body])
    assert outcome(recording.decoder(), pieces) == whole


@each(ANSWERS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_cuts_are_the_same(recording: Recording, seed: int) -> None:
    whole = outcome(recording.decoder(), [recording.body])
    assert outcome(recording.decoder(), cut_at_random(recording.body, seed)) == whole


@each(STREAMS)
def test_a_truncated_stream_is_never_whole(recording: Recording) -> None:
    body, start = recording.body, 0
    running = recording.decoder()
    finished = False
    for end in event_ends(body, recording.dialect == "ollama"):
        middle = (start + end) // 2
        for cut in (start, middle):
            decoder = copy.deepcopy(running)
            decoder.feed(body[start:cut])
            decoder.end()
            whole = decoder.failure is None
            assert not whole or finished or finish_told(body[:cut]), f"whole when cut at {cut}"
            assert whole or decoder.failure.cause in (Cause.CUT, BROKEN.get(recording.id))
        running.feed(body[start:end])
        finished = finished or finish_told(body[start:end])
        start = end


@each(STREAMS)
def test_a_stream_that_finished_is_whole_wherever_it_ends_afterwards(recording: Recording) -> None:
    body, start = recording.body, 0
    running = recording.decoder()
    finished = False
    for end in event_ends(body, recording.dialect == "ollama"):
        running.feed(body[start:end])
        finished = finished or finish_told(body[start:end])
        decoder = copy.deepcopy(running)
        decoder.end()
        assert decoder.failure is None or not finished
        start = end


@each(ANSWERS)
def test_nothing_comes_after_the_end(recording: Recording) -> None:
    decoder = recording.decoder()
    outcome(decoder, [recording.body])
    assert decoder.done != (decoder.failure is not None)
    assert decoder.feed(recording.body) == []
    assert decoder.end() == []
