"""Itemised reasoning."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.providers import signature
from sidecar.providers.openai_chat.details import ReasoningDetails, details_text
from sidecar.providers.openai_chat.wire import Detail


def details(*items: dict[str, Any]) -> list[Detail]:
    return msgspec.convert(list(items), list[Detail])


def test_raw_and_summarised_text_is_read() -> None:
    items = {"text": "a"}, {"summary": "b"}, {"data": "x"}, {"text": "", "summary": "c"}
    assert details_text(details(*items)) == "abc"


def test_fragments_of_one_item_are_joined() -> None:
    kept = ReasoningDetails()
    kept.add(details({"type": "reasoning.summary", "index": 0, "summary": "a", "format": None}))
    kept.add(details({"type": "reasoning.summary", "index": 0, "summary": "b", "format": "f"}))
    kept.add(details({"type": "reasoning.encrypted", "index": 0, "data": "x"}))
    assert signature.unpack(kept.packed(), "openai-chat") == [
        {"type": "reasoning.summary", "index": 0, "summary": "ab", "format": "f"},
        {"type": "reasoning.encrypted", "index": 0, "data": "x"},
    ]


def test_plain_text_needs_no_signature() -> None:
    kept = ReasoningDetails()
    kept.add(details({"type": "reasoning.text", "index": 0, "text": "a"}))
    assert kept.packed() == ""


def test_a_signature_is_given_out_once() -> None:
    kept = ReasoningDetails()
    kept.add(details({"type": "reasoning.encrypted", "data": "x"}))
    assert kept.packed()
    assert kept.packed() == ""
