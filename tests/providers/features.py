"""One completion per feature, the same for every dialect: the inputs of the golden bodies."""

from __future__ import annotations

from typing import Any

import msgspec

from sidecar.core.request import (
    Completion,
    Effort,
    Image,
    ImageUrl,
    Message,
    Prefix,
    ReasoningOptions,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolChoice,
    ToolUse,
)

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000a49444154789c6300010000050001"
)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("weather", "The weather of a city", SCHEMA)


def say(role: Role, text: str, **more: Any) -> Message:
    return Message(role, (Text(text),), **more)


def ask(text: str = "Where is it warm?", **more: Any) -> Completion:
    return Completion("m", (say(Role.USER, text),), **more)


def thinking(effort: Effort) -> Completion:
    return ask(reasoning=ReasoningOptions(effort=effort))


IMAGES = Completion(
    "m",
    (
        Message(
            Role.USER,
            (
                Text("What is this?"),
                ImageUrl("https://example.com/cat.png", "low"),
                Image(PIXEL, "image/png"),
            ),
        ),
    ),
)
TURNS = Completion(
    "m",
    (
        say(Role.SYSTEM, "Be brief."),
        say(Role.USER, "Hello"),
        say(Role.ASSISTANT, "Hi.", reasoning="A greeting."),
        say(Role.USER, "Where is it warm?"),
    ),
)
TOOL_TURN = Completion(
    "m",
    (
        say(Role.USER, "Is it warm in Rome and in Oslo?"),
        Message(
            Role.ASSISTANT,
            (),
            reasoning="I need both.",
            tool_calls=(
                ToolUse("call_rome", "weather", '{"city":"Rome"}'),
                ToolUse("call_oslo", "weather", '{"city":"Oslo"}'),
            ),
        ),
        Message(Role.TOOL, (Text("31 degrees"),), tool_call_id="call_rome"),
        Message(Role.TOOL, (Text("9 degrees"),), tool_call_id="call_oslo"),
    ),
    tools=(WEATHER,),
)

FEATURES: dict[str, Completion] = {
    "plain": ask(),
    "turns": TURNS,
    "images": IMAGES,
    "picture": Completion("m", (Message(Role.USER, (Image(PIXEL, "image/png"),)),)),
    "tuned": ask(
        max_tokens=200,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
    ),
    "stop": ask(stop=("END", "STOP")),
    "tools": ask(tools=(WEATHER,), tool_choice=ToolChoice("auto")),
    "tool-required": ask(tools=(WEATHER,), tool_choice=ToolChoice("required")),
    "tool-named": ask(tools=(WEATHER,), tool_choice=ToolChoice("named", "weather")),
    "tool-none": ask(tools=(WEATHER,), tool_choice=ToolChoice("none")),
    "tool-turn": TOOL_TURN,
    "json": ask(response_format=ResponseFormat("json_object")),
    "schema": ask(response_format=ResponseFormat("json_schema", "place", SCHEMA, True)),
    "effort-none": thinking(Effort.NONE),
    "effort-low": thinking(Effort.LOW),
    "effort-medium": thinking(Effort.MEDIUM),
    "effort-high": thinking(Effort.HIGH),
    "effort-max": thinking(Effort.MAX),
    "budget": ask(reasoning=ReasoningOptions(token_budget=3000), max_tokens=9000),
    "options": ask(provider_options={"user_id": "u1", "top_k": 40.0, "nested": {"a": [1.0, 0.5]}}),
}

PREFIXES: dict[str, Prefix] = {
    "prefix-answer": Prefix(answer="In Rome it is"),
    "prefix-reasoning": Prefix(reasoning="Think of the south."),
    "prefix-both": Prefix(reasoning="Think of the south.", answer="In Rome it is"),
}


def cases() -> dict[str, tuple[Completion, Prefix | None]]:
    """Every feature, and every prefix on a plain question with thinking."""
    plain = {name: (completion, None) for name, completion in FEATURES.items()}
    resumed = {name: (thinking(Effort.HIGH), prefix) for name, prefix in PREFIXES.items()}
    return {**plain, **resumed}


def with_tools_forced(effort: Effort | None) -> Completion:
    return msgspec.structs.replace(
        FEATURES["tool-required"], reasoning=ReasoningOptions(effort=effort)
    )
