"""What the golden files of the Messages dialect do not show."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sidecar.core.request import (
    Completion,
    Effort,
    Message,
    Prefix,
    ReasoningOptions,
    Role,
    Text,
    ToolChoice,
    ToolUse,
)
from sidecar.providers import signature
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.profiles import target
from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import TOOL_TURN, WEATHER, ask, say, thinking

HAIKU = target(PROFILES["anthropic"], "claude-haiku-4-5")
OPUS = target(PROFILES["anthropic"], "claude-opus-4-8")


def call(completion: Completion, where: Any = HAIKU, prefix: Prefix | None = None) -> HttpCall:
    return DIALECTS["anthropic"].encode(completion, where, prefix, "k", True)


def body(completion: Completion, where: Any = HAIKU, prefix: Prefix | None = None) -> Any:
    return msgspec.json.decode(call(completion, where, prefix).body)


def tool_turn(signed: str) -> Completion:
    turns = list(TOOL_TURN.messages)
    turns[1] = msgspec.structs.replace(turns[1], signature=signed)
    return msgspec.structs.replace(
        TOOL_TURN, messages=tuple(turns), reasoning=ReasoningOptions(Effort.LOW)
    )


def test_thinking_goes_back_unchanged_and_in_its_place() -> None:
    blocks = [
        {"type": "thinking", "thinking": "a", "signature": "s", "at": 0},
        {"type": "redacted_thinking", "data": "d", "at": 0},
        {"type": "thinking", "thinking": "b", "signature": "t", "at": 1},
    ]
    sent = body(tool_turn(signature.pack("anthropic", blocks)))["messages"][1]["content"]
    assert [block["type"] for block in sent] == [
        "thinking",
        "redacted_thinking",
        "tool_use",
        "thinking",
        "tool_use",
    ]
    assert sent[0] == {"type": "thinking", "thinking": "a", "signature": "s"}


def test_a_bare_signature_signs_the_turns_reasoning() -> None:
    sent = body(tool_turn("EqkECkYIBxgC"))["messages"][1]["content"]
    assert sent[0] == {"type": "thinking", "thinking": "I need both.", "signature": "EqkECkYIBxgC"}


def test_budgeted_thinking_gives_way_in_a_tool_turn_that_another_provider_began() -> None:
    made = call(tool_turn(signature.pack("gemini", {"text": "x"})))
    assert "reasoning" in made.dropped
    assert "thinking" not in msgspec.json.decode(made.body)


def test_adaptive_thinking_does_not_mind_a_foreign_tool_turn() -> None:
    assert body(tool_turn(""), OPUS)["thinking"]["type"] == "adaptive"


def test_a_finished_foreign_tool_turn_is_history() -> None:
    turn = tool_turn("")
    later = (*turn.messages, say(Role.ASSISTANT, "Rome."), say(Role.USER, "Sure?"))
    assert "thinking" in body(msgspec.structs.replace(turn, messages=later))


def test_a_budget_stays_below_max_tokens() -> None:
    asked = ask(max_tokens=2000, reasoning=ReasoningOptions(token_budget=5000))
    made = call(asked)
    sent = msgspec.json.decode(made.body)
    assert sent["thinking"]["budget_tokens"] == 1999
    assert "reasoning.token_budget" in made.dropped


def test_max_tokens_grows_where_the_least_budget_does_not_fit() -> None:
    sent = body(ask(max_tokens=500, reasoning=ReasoningOptions(token_budget=5000)))
    assert sent["thinking"]["budget_tokens"] == 1024
    assert sent["max_tokens"] > 1024


def test_a_forced_tool_is_refused_where_thinking_was_asked_for() -> None:
    forced = ask(
        tools=(WEATHER,),
        tool_choice=ToolChoice("required"),
        reasoning=ReasoningOptions(Effort.LOW),
    )
    with pytest.raises(Unsupported, match="tool_choice"):
        call(forced)


def test_the_last_blanks_of_a_prefill_are_not_sent() -> None:
    sent = body(ask(), prefix=Prefix(answer="It is \n"))
    assert sent["messages"][-1]["content"] == [{"type": "text", "text": "It is"}]


def test_thinking_gives_way_to_a_prefill() -> None:
    made = call(thinking(Effort.HIGH), prefix=Prefix(answer="It is"))
    assert "thinking" not in msgspec.json.decode(made.body)
    assert "reasoning" in made.dropped


def test_reasoning_that_is_not_delivered_is_not_sent_by_the_provider() -> None:
    asked = ask(reasoning=ReasoningOptions(Effort.LOW, deliver=False))
    assert body(asked, OPUS)["thinking"]["display"] == "omitted"


def test_a_temperature_above_one_is_bounded_and_reported() -> None:
    made = call(ask(temperature=1.5))
    assert msgspec.json.decode(made.body)["temperature"] == 1.0
    assert made.dropped == ("temperature",)


def test_neighbours_of_one_role_are_joined() -> None:
    turns = (say(Role.USER, "a"), say(Role.USER, "b"), say(Role.ASSISTANT, "c"))
    sent = body(Completion("m", turns))["messages"]
    assert [turn["role"] for turn in sent] == ["user", "assistant"]


def test_empty_texts_are_left_out() -> None:
    turns = (Message(Role.USER, (Text(""), Text("a"))),)
    assert body(Completion("m", turns))["messages"][0]["content"] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [("", {}), ('{"a":1}', {"a": 1}), ("[1]", {"arguments": [1]}), ("{", {"arguments": "{"})],
)
def test_arguments_are_sent_as_an_object(arguments: str, sent: Any) -> None:
    turn = Message(Role.ASSISTANT, (), tool_calls=(ToolUse("c", "f", arguments),))
    made = body(Completion("m", (say(Role.USER, "a"), turn)))
    assert made["messages"][1]["content"][0]["input"] == sent


def test_the_call_does_not_show_its_key() -> None:
    made = DIALECTS["anthropic"].encode(ask(), HAIKU, None, "sk-secret", True)
    assert "sk-secret" not in repr(made)
    assert ("x-api-key", "sk-secret") in made.headers
