"""The typed-event dialect: tolerant, but never of a cut."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.core.events import Answer, Reasoning
from sidecar.core.failure import Cause
from sidecar.providers.table import PROFILES
from tests.providers.streams import decoded, event

DONE = b"data: [DONE]\n\n"


def typed(kind: str, **more: Any) -> bytes:
    return event({"type": kind, **more})


@pytest.mark.parametrize("key", ["content", "text", "delta", "token"])
def test_the_text_may_stand_under_any_of_its_names(key: str) -> None:
    decoder, deltas = decoded(
        "typed-event", typed("reasoning", **{key: "a"}), typed("answer", **{key: "b"}), DONE
    )
    assert deltas == [Reasoning("a"), Answer("b")]
    assert decoder.failure is None


@pytest.mark.parametrize(
    "end",
    [
        DONE,
        typed("done"),
        typed("answer", content="", finish_reason="stop"),
        event({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        event({"type": "summary", "reasoning_tokens": 7}),
        event({"done": True}),
    ],
)
def test_any_of_its_ends_is_an_end(end: bytes) -> None:
    decoder, _ = decoded("typed-event", typed("answer", content="a"), end)
    assert decoder.failure is None


def test_the_end_of_the_body_alone_is_a_cut() -> None:
    decoder, _ = decoded("typed-event", typed("answer", content="a"))
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.CUT


@pytest.mark.parametrize(
    "told",
    [
        {"usage": {"prompt_tokens": 5, "completion_tokens": 9, "reasoning_tokens": 7}},
        {
            "usage": {"prompt_tokens": 5, "completion_tokens": 9},
            "reasoning_tokens": 7,
        },
        {"reasoning_tokens": 7, "completion_tokens": 9, "prompt_tokens": 5},
    ],
)
def test_reasoning_tokens_may_stand_at_the_top_or_in_the_usage(told: dict[str, Any]) -> None:
    decoder, _ = decoded("typed-event", typed("answer", content="a"), event(told), DONE)
    usage = decoder.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (5, 9, 7)


def test_an_error_is_a_failure_and_the_end_mark_does_not_mend_it() -> None:
    decoder, deltas = decoded(
        "typed-event", typed("answer", content="a"), typed("error", message="overloaded"), DONE
    )
    assert deltas == [Answer("a")]
    assert decoder.failure is not None
    assert decoder.failure.cause is Cause.OVERLOADED


def test_a_synchronous_payload_is_read() -> None:
    document = {"reasoning": "a", "answer": "b", "reasoning_tokens": 3}
    decoder, deltas = decoded("typed-event", json.dumps(document).encode(), stream=False)
    assert deltas == [Reasoning("a"), Answer("b")]
    assert decoder.failure is None


def test_no_company_of_the_table_speaks_it() -> None:
    speakers = [name for name, profile in PROFILES.items() if profile.dialect == "typed-event"]
    assert speakers == ["typed-event"]
