"""What the golden files of Interactions do not show."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sidecar.core.request import Completion, Prefix
from sidecar.providers import signature
from sidecar.providers.dialect import Unsupported
from sidecar.providers.profiles import target
from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import TOOL_TURN, ask

FLASH = target(PROFILES["gemini-interactions"], "gemini-3.5-flash")


def steps(completion: Completion) -> Any:
    made = DIALECTS["gemini-interactions"].encode(completion, FLASH, None, "k", True)
    return msgspec.json.decode(made.body)["input"]


def test_thoughts_go_back_as_steps_in_their_place() -> None:
    state = [{"signature": "s", "at": 0}, {"signature": "t", "at": 1}]
    turns = list(TOOL_TURN.messages)
    packed = signature.pack("gemini-interactions", state)
    turns[1] = msgspec.structs.replace(turns[1], signature=packed)
    sent = steps(msgspec.structs.replace(TOOL_TURN, messages=tuple(turns)))
    assert [step["type"] for step in sent] == [
        "user_input",
        "thought",
        "function_call",
        "thought",
        "function_call",
        "function_result",
        "function_result",
    ]


def test_results_name_the_call_they_answer() -> None:
    assert steps(TOOL_TURN)[-1] == {
        "type": "function_result",
        "call_id": "call_oslo",
        "result": "9 degrees",
    }


def test_a_prefix_is_refused() -> None:
    with pytest.raises(Unsupported, match="prefix"):
        DIALECTS["gemini-interactions"].encode(ask(), FLASH, Prefix(answer="a"), "k", True)
