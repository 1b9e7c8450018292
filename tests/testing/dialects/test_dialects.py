"""What every dialect must do alike: the same text, the same counts, streamed and whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.testing import virtual
from sidecar.testing.asked import Incoming
from sidecar.testing.config import ProviderConfig
from sidecar.testing.dialects import DIALECTS
from sidecar.testing.provider import FakeProvider
from sidecar.testing.reading import dialect_of
from sidecar.testing.texts import written
from sidecar.testing.virtual import run
from tests.testing.dialects.readers import (
    Read,
    read_anthropic,
    read_chat,
    read_gemini,
    read_interactions,
    read_ollama,
    read_responses,
    read_typed,
)


class Way(msgspec.Struct):
    """How to ask in a dialect, how to read it, and its words for stop, length and tools."""

    path: str
    body: dict[str, Any]
    read: Callable[[bytes, bool], Read]
    finishes: tuple[str, str, str]
    limit: dict[str, Any]
    streams_in_path: bool = False


CHAT_BODY = {"messages": [{"role": "user", "content": "Two words"}]}
STOPS = ("stop", "length", "tool_calls")
THINK = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
SUMMARIES = {"thinking_summaries": "auto"}
WAYS = {
    "deepseek": Way("/chat/completions", CHAT_BODY, read_chat, STOPS, {"max_tokens": 7}),
    "compatible": Way(
        "/v1/chat/completions",
        CHAT_BODY | {"stream_options": {"include_usage": True}},
        read_chat,
        STOPS,
        {"max_completion_tokens": 7},
    ),
    "openrouter": Way(
        "/openrouter/api/v1/chat/completions", CHAT_BODY, read_chat, STOPS, {"max_tokens": 7}
    ),
    "xai": Way("/xai/v1/chat/completions", CHAT_BODY, read_chat, STOPS, {"max_tokens": 7}),
    "vllm": Way(
        "/vllm/v1/chat/completions",
        CHAT_BODY | {"stream_options": {"include_usage": True}},
        read_chat,
        STOPS,
        {"max_tokens": 7},
    ),
    "anthropic": Way(
        "/v1/messages",
        CHAT_BODY | {"max_tokens": 999, "thinking": {"type": "adaptive"}},
        read_anthropic,
        ("end_turn", "max_tokens", "tool_use"),
        {"max_tokens": 7},
    ),
    "responses": Way(
        "/v1/responses",
        {"input": "Two words"},
        read_responses,
        ("completed", "incomplete", "completed"),
        {"max_output_tokens": 7},
    ),
    "responses-raw": Way(
        "/responses",
        {"input": CHAT_BODY["messages"]},
        read_responses,
        ("completed", "incomplete", "completed"),
        {"max_output_tokens": 7},
    ),
    "gemini": Way(
        "/v1beta/models/{model}:{call}",
        {"contents": [{"role": "user", "parts": [{"text": "Two words"}]}], **THINK},
        read_gemini,
        ("STOP", "MAX_TOKENS", "STOP"),
        {"generationConfig": THINK["generationConfig"] | {"maxOutputTokens": 7}},
        streams_in_path=True,
    ),
    "interactions": Way(
        "/v1beta/interactions",
        {"input": "Two words", "generation_config": SUMMARIES},
        read_interactions,
        ("completed", "incomplete", "requires_action"),
        {"generation_config": SUMMARIES | {"max_output_tokens": 7}},
    ),
    "ollama": Way(
        "/api/chat",
        CHAT_BODY,
        read_ollama,
        ("stop", "length", "stop"),
        {"options": {"num_predict": 7}},
    ),
    "typed": Way("/typed/chat/completions", CHAT_BODY, read_typed, STOPS, {"max_tokens": 7}),
}


async def ask(world: Any, name: str, model: str, stream: bool, **more: Any) -> Read:
    way = WAYS[name]
    call = "streamGenerateContent?alt=sse" if stream else "generateContent"
    path = way.path.format(model=model, call=call)
    seen = await world.ask(model, path=path, **(way.body | {"stream": stream} | more))
    assert seen.status == 200
    return way.read(seen.body, stream)


both = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
every = pytest.mark.parametrize("name", WAYS)


@both
@every
def test_every_dialect_says_the_same_text(new_world: Any, name: str, stream: bool) -> None:
    async def main() -> None:
        read = await ask(new_world(), name, "fake-reasoner-9-8", stream)
        whole = written(0, 9, 8)
        assert (read.reasoning, read.answer) == (whole.reasoning, whole.answer)
        assert read.finish == WAYS[name].finishes[0]

    run(main())


@both
@every
def test_every_dialect_tells_what_is_billed(new_world: Any, name: str, stream: bool) -> None:
    async def main() -> None:
        world = new_world()
        read = await ask(world, name, "fake-reasoner-9-8", stream)
        usage = world.log[0].usage
        assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (2, 17, 9)
        assert read.usage == (2, 17, 0 if name == "ollama" else 9)

    run(main())


@both
@every
def test_every_dialect_ends_with_its_word_for_length(
    new_world: Any, name: str, stream: bool
) -> None:
    async def main() -> None:
        read = await ask(new_world(), name, "fake-10", stream, **WAYS[name].limit)
        assert read.finish == WAYS[name].finishes[1]
        assert len(read.answer.split()) == 7

    run(main())


# The typed-event dialect has no form of tool calls in a whole answer.
TOOLS = [(name, stream) for name in WAYS for stream in (True, False) if stream or name != "typed"]


@pytest.mark.parametrize(("name", "stream"), TOOLS)
def test_every_dialect_calls_tools_with_json(new_world: Any, name: str, stream: bool) -> None:
    async def main() -> None:
        read = await ask(new_world(), name, "fake-tools-3-1", stream)
        ((function, arguments),) = read.calls
        assert function == "get_departures"
        assert arguments["tags"] == ["express", "üñí 🚂", 'quoted "text"']
        assert read.finish == WAYS[name].finishes[2]

    run(main())


@every
def test_every_dialect_carries_any_script(new_world: Any, name: str) -> None:
    async def main() -> None:
        read = await ask(new_world(), name, "fake-40+style-unicode", True)
        assert read.answer == written(0, 0, 40, "unicode").answer

    run(main())


@every
def test_a_failure_in_every_dialect_is_an_error_of_its_own_form(new_world: Any, name: str) -> None:
    async def main() -> None:
        way = WAYS[name]
        path = way.path.format(model="fake-5+http-503", call="generateContent")
        seen = await new_world().ask("fake-5+http-503", path=path, **way.body)
        assert seen.status == 503
        error = seen.json["error"]
        assert error if name == "ollama" else error["message"]

    run(main())


def test_a_path_belongs_to_one_dialect() -> None:
    paths = {way.path.format(model="m", call="generateContent") for way in WAYS.values()}
    found = [dialect_of(path) for path in paths]
    assert {dialect.name for dialect in found if dialect} == {row.name for row in DIALECTS}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "text", "parts", "prefix", "name", "function", "effort"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "model", "messages", "max_tokens", "stream", "tools", "thinking", "stop", "seed", "input",
        "contents", "generationConfig", "options", "stream_options", "system", "reasoning",
        "tool_choice", "instructions", "systemInstruction",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(sorted(WAYS)), changes=st.dictionaries(FIELDS, JSON, max_size=4))
def test_no_body_whatever_breaks_the_provider(name: str, changes: dict[str, Any]) -> None:
    async def main() -> None:
        provider = FakeProvider(ProviderConfig(), virtual.clock())
        way = WAYS[name]
        path = way.path.format(model="fake-3", call="generateContent")
        body = json.dumps(way.body | {"model": "fake-3"} | changes).encode()
        exchange = provider.open(Incoming("POST", path, {"authorization": "Bearer k"}, body))
        steps = list(exchange.actions)
        assert steps

    run(main())
