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


class Read(msgspec.Struct):
    """What a reader found in a body."""

    reasoning: str = ""
    answer: str = ""
    calls: list[tuple[str, Any]] = []
    finish: str | None = None
    usage: tuple[int, int, int] | None = None  # input, all output, reasoning


def data_of(body: bytes) -> list[dict[str, Any]]:
    lines = body.decode().replace("\r\n", "\n").split("\n")
    return [json.loads(x[6:]) for x in lines if x.startswith("data: ") and x != "data: [DONE]"]


def read_chat(body: bytes, stream: bool) -> Read:
    docs = data_of(body) if stream else [json.loads(body)]
    parts = [c.get("delta") or c.get("message") or {} for d in docs for c in d["choices"]]
    names: dict[int, list[str]] = {}
    for call in (call for part in parts for call in part.get("tool_calls") or ()):
        entry = names.setdefault(call["index"], ["", ""])
        entry[0] += call["function"].get("name", "")
        entry[1] += call["function"]["arguments"]
    finishes = [c["finish_reason"] for d in docs for c in d["choices"] if c.get("finish_reason")]
    usage = next((d["usage"] for d in reversed(docs) if d.get("usage")), None)
    return Read(
        "".join(p.get("reasoning_content") or p.get("reasoning") or "" for p in parts),
        "".join(p["content"] for p in parts if isinstance(p.get("content"), str)),
        [(name, json.loads(text)) for name, text in names.values()],
        finishes[-1] if finishes else None,
        usage and (
            usage["prompt_tokens"],
            usage["total_tokens"] - usage["prompt_tokens"],
            usage["completion_tokens_details"]["reasoning_tokens"],
        ),
    )  # fmt: skip


def read_anthropic(body: bytes, stream: bool) -> Read:
    if not stream:
        doc = json.loads(body)
        blocks, last = doc["content"], doc
    else:
        docs = data_of(body)
        blocks = [d["content_block"] for d in docs if d["type"] == "content_block_start"]
        for d in (d for d in docs if d["type"] == "content_block_delta"):
            block = blocks[d["index"]]
            for field, key in (
                ("thinking", "thinking"),
                ("text", "text"),
                ("partial_json", "json"),
            ):
                block[key] = block.get(key, "") + d["delta"].get(field, "")
        last = next(d for d in docs if d["type"] == "message_delta")
        last |= last["delta"]
    usage = last["usage"]
    calls = [b for b in blocks if b["type"] == "tool_use"]
    return Read(
        "".join(b["thinking"] for b in blocks if b["type"] == "thinking"),
        "".join(b["text"] for b in blocks if b["type"] == "text"),
        [(b["name"], json.loads(b["json"]) if stream else b["input"]) for b in calls],
        last["stop_reason"],
        (
            usage["input_tokens"] + usage["cache_read_input_tokens"],
            usage["output_tokens"],
            usage["output_tokens_details"]["thinking_tokens"],
        ),
    )


def read_responses(body: bytes, stream: bool) -> Read:
    docs = data_of(body) if stream else []
    final = docs[-1]["response"] if stream else json.loads(body)
    texts = {"reasoning": "", "message": ""}
    for item in final["output"]:
        for part in (*item.get("summary", ()), *item.get("content", ())):
            texts[item["type"]] += part["text"]
    if stream:
        deltas = "".join(d["delta"] for d in docs if d["type"] == "response.output_text.delta")
        assert deltas == texts["message"]
        assert [d["sequence_number"] for d in docs] == list(range(len(docs)))
    calls = [i for i in final["output"] if i["type"] == "function_call"]
    usage = final["usage"]
    return Read(
        texts["reasoning"],
        texts["message"],
        [(i["name"], json.loads(i["arguments"])) for i in calls],
        final["status"],
        (
            usage["input_tokens"],
            usage["output_tokens"],
            usage["output_tokens_details"]["reasoning_tokens"],
        ),
    )


def read_gemini(body: bytes, stream: bool) -> Read:
    docs = data_of(body) if stream else [json.loads(body)]
    parts = [p for d in docs for c in d["candidates"] for p in c["content"]["parts"]]
    calls = [p["functionCall"] for p in parts if "functionCall" in p]
    finishes = [c["finishReason"] for d in docs for c in d["candidates"] if "finishReason" in c]
    usage = docs[-1]["usageMetadata"]
    thoughts = usage.get("thoughtsTokenCount", 0)
    return Read(
        "".join(p["text"] for p in parts if p.get("thought")),
        "".join(p["text"] for p in parts if "text" in p and not p.get("thought")),
        [(c["name"], c["args"]) for c in calls],
        finishes[-1],
        (usage["promptTokenCount"], usage.get("candidatesTokenCount", 0) + thoughts, thoughts),
    )


def read_interactions(body: bytes, stream: bool) -> Read:
    docs = data_of(body) if stream else [json.loads(body)]
    final = docs[-1]["interaction"] if stream else docs[0]
    texts = {"thought": "", "model_output": ""}
    calls: list[tuple[str, str]] = []
    for doc in docs if stream else ():
        kind = doc.get("delta", {}).get("type")
        if kind == "thought_summary":
            texts["thought"] += doc["delta"]["content"]["text"]
        elif kind == "text":
            texts["model_output"] += doc["delta"]["text"]
        elif kind == "arguments_delta":
            calls[-1] = (calls[-1][0], calls[-1][1] + doc["delta"]["arguments"])
        elif doc.get("step", {}).get("type") == "function_call":
            calls.append((doc["step"]["name"], ""))
    for step in final.get("steps", ()):
        if step["type"] == "function_call":
            calls.append((step["name"], json.dumps(step["arguments"])))
        for part in (*step.get("summary", ()), *step.get("content", ())):
            texts[step["type"]] += part["text"]
    usage = final["usage"]
    thoughts = usage["total_thought_tokens"]
    return Read(
        texts["thought"],
        texts["model_output"],
        [(name, json.loads(text)) for name, text in calls],
        final["status"],
        (usage["total_input_tokens"], usage["total_output_tokens"] + thoughts, thoughts),
    )


def read_ollama(body: bytes, stream: bool) -> Read:
    docs = [json.loads(line) for line in body.decode().split("\n") if line]
    messages = [d["message"] for d in docs]
    calls = [c["function"] for m in messages for c in m.get("tool_calls", ())]
    assert [d["done"] for d in docs] == [False] * (len(docs) - 1) + [True]
    return Read(
        "".join(m.get("thinking", "") for m in messages),
        "".join(m["content"] for m in messages),
        [(c["name"], c["arguments"]) for c in calls],
        docs[-1]["done_reason"],
        (docs[-1]["prompt_eval_count"], docs[-1]["eval_count"], 0),
    )


def read_typed(body: bytes, stream: bool) -> Read:
    if not stream:
        doc = json.loads(body)
        events, last = [], doc
        texts = [doc["reasoning"], doc["answer"]]
    else:
        *events, last = data_of(body)
        texts = [
            "".join(e["content"] for e in events if e["type"] == kind)
            for kind in ("reasoning", "answer")
        ]
    usage = last["usage"]
    counts = (usage["prompt_tokens"], usage["completion_tokens"], last["reasoning_tokens"])
    calls = [e for e in events if e["type"] == "tool_call"]
    arguments = "".join(e["arguments"] for e in calls)
    named = [(calls[0]["name"], json.loads(arguments))] if calls else []
    return Read(*texts, named, last["finish_reason"], counts)


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
