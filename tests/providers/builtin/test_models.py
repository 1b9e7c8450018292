"""What the newest models are told, by the pages of their makers: each refuses what others take."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sidecar.core.request import Completion, Effort, ToolChoice
from sidecar.providers.dialect import Unsupported
from sidecar.providers.profiles import target
from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import WEATHER, ask, thinking

OFF = {"thinking": {"type": "disabled"}}
BETWEEN = {"thinking": {"type": "between_tools"}}


def adaptive(effort: str) -> dict[str, Any]:
    return {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": effort},
    }


def effort(word: str) -> dict[str, Any]:
    return {"reasoning_effort": word}


def level(word: str) -> dict[str, Any]:
    return {"thinkingLevel": word}


def glm(word: str) -> dict[str, Any]:
    return {"thinking": {"type": "enabled"}, "reasoning_effort": word}


ROWS: tuple[tuple[str, Effort, dict[str, Any]], ...] = (
    ("anthropic/claude-opus-4-8", Effort.NONE, {}),
    ("anthropic/claude-opus-4-8", Effort.MAX, adaptive("max")),
    ("anthropic/claude-opus-5", Effort.NONE, OFF),
    ("anthropic/claude-sonnet-5", Effort.NONE, OFF),
    ("anthropic/claude-haiku-5-5", Effort.NONE, OFF),
    ("anthropic/claude-sonnet-5-5", Effort.NONE, BETWEEN),
    ("anthropic/claude-opus-5-5", Effort.NONE, adaptive("low")),
    ("anthropic/claude-fable-5-1", Effort.NONE, adaptive("low")),
    ("anthropic/claude-fable-5", Effort.NONE, adaptive("low")),
    ("anthropic/claude-of-tomorrow", Effort.NONE, adaptive("low")),
    ("openai/gpt-5.6", Effort.MAX, effort("xhigh")),
    ("openai/gpt-6-sol", Effort.NONE, effort("none")),
    ("openai/gpt-6-astra", Effort.NONE, effort("low")),
    ("openai-responses/gpt-5.6", Effort.MAX, {"effort": "max"}),
    ("openai-responses/gpt-5.5", Effort.MAX, {"effort": "xhigh"}),
    ("openai-responses/gpt-5.4-pro", Effort.LOW, {"effort": "medium"}),
    ("openai-responses/gpt-5-pro", Effort.LOW, {"effort": "high"}),
    ("openai-responses/gpt-6.1-sol", Effort.NONE, {"effort": "low"}),
    ("openai-responses/gpt-6.1-terra", Effort.NONE, {"effort": "none"}),
    ("xai/grok-4.3", Effort.NONE, effort("none")),
    ("xai/grok-4.5", Effort.NONE, effort("low")),
    ("xai/grok-4.7", Effort.MAX, effort("xhigh")),
    ("xai-responses/grok-4.3", Effort.MAX, {"effort": "high"}),
    ("xai-responses/grok-4.6", Effort.NONE, {"effort": "low"}),
    ("xai-responses/grok-4.7", Effort.MAX, {"effort": "xhigh"}),
    ("zai/glm-5.2", Effort.MEDIUM, glm("medium")),
    ("zai/glm-5.2", Effort.NONE, OFF),
    ("zai/glm-5.3", Effort.MEDIUM, glm("high")),
    ("zai/glm-5.3", Effort.NONE, glm("low")),
    ("gemini/gemini-3.5-flash", Effort.NONE, level("MINIMAL")),
    ("gemini/gemini-3.8-flash", Effort.NONE, level("LOW")),
    ("gemini/gemini-3-pro-preview", Effort.MEDIUM, level("HIGH")),
    ("gemini/gemini-3.1-pro-preview", Effort.MEDIUM, level("MEDIUM")),
    ("gemini/gemini-4-argon", Effort.NONE, level("LOW")),
    ("gemini-interactions/gemini-3.6-flash", Effort.NONE, {"thinking_level": "minimal"}),
    ("gemini-interactions/gemini-3.7-flash", Effort.NONE, {"thinking_level": "low"}),
)


def body(name: str, completion: Completion) -> dict[str, Any]:
    provider, _, model = name.partition("/")
    profile = PROFILES[provider]
    call = DIALECTS[profile.dialect].encode(completion, target(profile, model), None, "k", True)
    made: dict[str, Any] = msgspec.json.decode(call.body)
    return made


def said(made: dict[str, Any]) -> dict[str, Any]:
    """What a body says of thinking, wherever it says it."""
    places = (
        made,
        made.get("reasoning", {}),
        made.get("generation_config", {}),
        made.get("generationConfig", {}).get("thinkingConfig", {}),
    )
    names = (
        "thinking",
        "output_config",
        "reasoning_effort",
        "effort",
        "thinking_level",
        "thinkingLevel",
    )
    return {name: place[name] for place in places for name in names if name in place}


@pytest.mark.parametrize(("name", "asked", "wanted"), ROWS)
def test_a_model_is_told_how_hard_to_think_in_words_it_takes(
    name: str, asked: Effort, wanted: dict[str, Any]
) -> None:
    assert said(body(name, thinking(asked))) == wanted


FORCED = ask(tools=(WEATHER,), tool_choice=ToolChoice("required"))


@pytest.mark.parametrize(
    "model",
    ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-2"],
)
def test_a_tool_cannot_be_forced_upon_models_that_refuse_it(model: str) -> None:
    with pytest.raises(Unsupported) as refused:
        body(f"anthropic/{model}", FORCED)
    assert refused.value.field == "tool_choice"


@pytest.mark.parametrize("model", ["claude-opus-4-8", "claude-opus-5", "claude-fable-5"])
def test_a_tool_may_be_forced_while_a_model_thinks_as_it_sees_fit(model: str) -> None:
    asked = msgspec.structs.replace(FORCED, reasoning=thinking(Effort.HIGH).reasoning)
    made = body(f"anthropic/{model}", asked)
    assert made["tool_choice"] == {"type": "any"}
    assert said(made) == adaptive("high")


def test_a_tool_cannot_be_forced_while_a_model_thinks_to_a_budget() -> None:
    asked = msgspec.structs.replace(FORCED, reasoning=thinking(Effort.HIGH).reasoning)
    with pytest.raises(Unsupported):
        body("anthropic/claude-haiku-4-5", asked)
