"""A finish that only the usage behind it proves: gateways finish what their provider did not."""

from __future__ import annotations

import json

import msgspec
import pytest

from sidecar.core.events import Answer, FinishReason
from sidecar.core.failure import Cause
from sidecar.providers.openai_chat.decode import ChatDecoder
from sidecar.providers.profiles import Quirks
from tests.providers.openai_chat.test_decode import DONE, STOP, answer, chunk, decoded, event

PROVEN = Quirks(whole_usage=("prompt_tokens_details",))
PLAIN = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
ITEMISED = {**PLAIN, "prompt_tokens_details": {"cached_tokens": 0}}


@pytest.mark.parametrize("end", [b"", DONE])
@pytest.mark.parametrize(
    "tail",
    [
        chunk(**STOP),
        chunk(**STOP, usage=PLAIN),
        chunk(**STOP) + chunk(usage=PLAIN),
        chunk(**STOP) + event({"choices": [], "usage": {**PLAIN, "prompt_tokens_details": None}}),
    ],
)
def test_a_finish_without_the_usage_that_proves_it_was_made_up(tail: bytes, end: bytes) -> None:
    decoder, deltas = decoded(answer("Half of"), tail, end, quirks=PROVEN)
    assert deltas == [Answer("Half of")]
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CUT
    assert decoder.report.finish_reason is None


@pytest.mark.parametrize(
    "tail",
    [
        chunk(**STOP, usage=ITEMISED),
        chunk(**STOP) + chunk(usage=ITEMISED),
        chunk(**STOP) + event({"choices": [], "usage": ITEMISED}) + DONE,
        chunk(**STOP) + chunk(**STOP, usage=ITEMISED) + DONE,
    ],
)
def test_a_finish_stands_with_the_usage_that_proves_it(tail: bytes) -> None:
    decoder, _ = decoded(answer("All of it"), tail, quirks=PROVEN)
    assert decoder.failure is None
    assert decoder.done
    assert decoder.report.finish_reason is FinishReason.STOP


def test_a_finish_is_none_until_it_is_proven() -> None:
    """So that a wire that breaks in between breaks the stream."""
    decoder = ChatDecoder(PROVEN, True)
    decoder.feed(answer("All of it") + chunk(**STOP))
    assert decoder.report.finish_reason is None
    decoder.feed(chunk(usage=ITEMISED))
    assert decoder.report.finish_reason is FinishReason.STOP


def test_where_no_usage_is_asked_for_none_proves_a_finish() -> None:
    quirks = msgspec.structs.replace(PROVEN, stream_usage=False)
    decoder, _ = decoded(answer("All of it"), chunk(**STOP), quirks=quirks)
    assert decoder.report.finish_reason is FinishReason.STOP


def test_a_whole_document_needs_no_proof() -> None:
    decoder = ChatDecoder(PROVEN, False)
    choice = {"index": 0, "message": {"content": "All of it"}, **STOP}
    decoder.feed(json.dumps({"choices": [choice], "usage": PLAIN}).encode())
    assert decoder.end() == [Answer("All of it")]
    assert decoder.report.finish_reason is FinishReason.STOP
