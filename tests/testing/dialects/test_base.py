"""What the dialects share."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.testing.dialects.base import (
    BadRequest,
    arguments_of,
    must_be_list,
    sse,
    texts_of,
    told_after,
)


def test_an_event_is_framed_with_its_name() -> None:
    assert sse({"a": "é"}, "x") == 'event: x\ndata: {"a":"é"}\n\n'.encode()


def test_an_event_of_bytes_is_just_those() -> None:
    assert sse(b"[DONE]") == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a", "a"),
        (None, ""),
        (7, ""),
        ([{"text": "a"}, {"image": 1}, {"text": None}, "x", {"text": "b"}], "ab"),
    ],
)
def test_all_text_of_a_content_is_found(content: Any, text: str) -> None:
    assert texts_of(content) == text


def test_a_part_is_found_by_its_type() -> None:
    assert told_after([{"type": "tool_result"}], "tool_result")
    assert not told_after("tool_result", "tool_result")


def test_arguments_that_were_cut_are_empty() -> None:
    assert (arguments_of('{"a": 1}'), arguments_of('{"a": ')) == ({"a": 1}, {})


@pytest.mark.parametrize("value", [None, [], "x", [1]])
def test_messages_that_are_none_are_refused(value: Any) -> None:
    with pytest.raises(BadRequest, match="`messages` must be a list"):
        must_be_list({"messages": value}, "messages")
