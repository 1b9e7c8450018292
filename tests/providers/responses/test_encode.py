"""What the golden files of the Responses dialect do not show."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sidecar.core.request import Completion, Prefix, ReasoningOptions
from sidecar.providers import signature
from sidecar.providers.dialect import Unsupported
from sidecar.providers.profiles import target
from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import TOOL_TURN, WEATHER, ask

GPT = target(PROFILES["openai-responses"], "gpt-5.4")


def body(completion: Completion, prefix: Prefix | None = None) -> Any:
    made = DIALECTS["openai-responses"].encode(completion, GPT, prefix, "k", True)
    return msgspec.json.decode(made.body)


def test_encrypted_reasoning_goes_back_as_the_item_it_was() -> None:
    items = [{"type": "reasoning", "summary": [], "id": "rs", "encrypted_content": "e", "at": 0}]
    turns = list(TOOL_TURN.messages)
    packed = signature.pack("openai-responses", items)
    turns[1] = msgspec.structs.replace(turns[1], signature=packed)
    sent = body(msgspec.structs.replace(TOOL_TURN, messages=tuple(turns)))["input"]
    assert sent[1] == {"type": "reasoning", "summary": [], "id": "rs", "encrypted_content": "e"}
    assert [item.get("type", item.get("role")) for item in sent] == [
        "user",
        "reasoning",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
    ]


def test_a_prefix_is_refused() -> None:
    with pytest.raises(Unsupported, match="prefix"):
        body(ask(), Prefix(answer="a"))


def test_stop_sequences_are_refused() -> None:
    with pytest.raises(Unsupported, match="stop"):
        body(ask(stop=("x",)))


def test_nothing_is_stored_and_the_opaque_state_is_asked_for() -> None:
    sent = body(ask())
    assert sent["store"] is False
    assert sent["include"] == ["reasoning.encrypted_content"]


def test_no_summary_is_asked_for_where_nobody_reads_it() -> None:
    assert "reasoning" not in body(ask(reasoning=ReasoningOptions(deliver=False)))


def test_strictness_is_always_said() -> None:
    assert body(ask(tools=(WEATHER,)))["tools"][0]["strict"] is False
