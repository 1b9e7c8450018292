"""A provider that demands its reasoning back says so in its own words."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.testing.dialects.base import seal
from sidecar.testing.virtual import in_virtual_time

MODEL = "fake-tools-2-1+demand"
USER = {"role": "user", "content": "go"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "ok"}
USE = {"type": "tool_use", "id": "c1", "name": "f", "input": {}}
USED = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "ok"}]}
GONE = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
BACK = {"type": "function_call_output", "call_id": "c1", "output": "ok"}


def chat(**turn: Any) -> dict[str, Any]:
    own = {"role": "assistant", "content": None, "tool_calls": [CALL], **turn}
    return {"messages": [USER, own, RESULT]}


def messages(*blocks: Any) -> dict[str, Any]:
    own = {"role": "assistant", "content": [*blocks, USE]}
    thinking = {"type": "enabled", "budget_tokens": 1024}
    return {"messages": [USER, own, USED], "max_tokens": 2000, "thinking": thinking}


def gemini(**part: Any) -> dict[str, Any]:
    called = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}, **part}]}
    answer = {"functionResponse": {"name": "f", "response": {}}}
    asked = {"role": "user", "parts": [{"text": "go"}]}
    return {"contents": [asked, called, {"role": "user", "parts": [answer]}]}


def responses(*items: Any) -> dict[str, Any]:
    return {"input": [USER, *items, GONE, BACK]}


def interactions(*steps: Any) -> dict[str, Any]:
    asked = {"type": "user_input", "content": "go"}
    call = {"type": "function_call", "id": "c1", "name": "f", "arguments": {}}
    result = {"type": "function_result", "call_id": "c1", "result": "ok"}
    return {"input": [asked, *steps, call, result]}


def thought(text: str, signature: str) -> dict[str, str]:
    return {"type": "thinking", "thinking": text, "signature": signature}


def item(text: str, data: str) -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": text}]
    return {"type": "reasoning", "summary": summary, "encrypted_content": data}


def detail(text: str) -> list[dict[str, str]]:
    told = {"type": "reasoning.text", "text": text}
    return [told, {"type": "reasoning.encrypted", "data": seal(text)}]


GEMINI = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
ROUTER = "/openrouter/v1/chat/completions"
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("/chat/completions", chat(), "reasoning_content in the thinking mode must be passed back"),
    (ROUTER, chat(reasoning="hm"), "missing a thought_signature"),
    (
        "/v1/messages",
        messages(),
        "Expected `thinking` or `redacted_thinking`",
    ),
    ("/v1/messages", messages(thought("a", seal("b"))), "Invalid `signature` in `thinking` block"),
    (GEMINI, gemini(), "missing a thought_signature"),
    (GEMINI, gemini(thoughtSignature="forged"), "signature is not valid"),
    ("/v1/responses", responses(), "without its required 'reasoning' item"),
    ("/v1/responses", responses(item("a", seal("b"))), "could not be verified"),
    ("/v1beta/interactions", interactions(), "missing a thought_signature"),
]
TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("/chat/completions", chat(reasoning_content=" ")),
    (ROUTER, chat(reasoning_details=detail("a"))),
    ("/v1/messages", messages(thought("a", seal("a")))),
    (GEMINI, gemini(thoughtSignature=seal("f"))),
    (GEMINI, gemini(thoughtSignature="skip_thought_signature_validator")),
    ("/v1/responses", responses(item("a", seal("a")))),
    ("/v1beta/interactions", interactions({"type": "thought", "signature": "s"})),
]


@in_virtual_time
@pytest.mark.parametrize(("path", "body", "words"), REFUSED)
async def test_a_history_without_its_reasoning_is_refused(
    new_world: Any, path: str, body: dict[str, Any], words: str
) -> None:
    seen = await new_world().ask(MODEL, path=path, **body)
    assert seen.status == 400
    assert words in seen.body.decode()


@in_virtual_time
@pytest.mark.parametrize(("path", "body"), TAKEN)
async def test_a_history_that_brings_it_back_is_answered(
    new_world: Any, path: str, body: dict[str, Any]
) -> None:
    assert (await new_world().ask(MODEL, path=path, **body)).status == 200


@in_virtual_time
@pytest.mark.parametrize(("path", "body", "words"), REFUSED)
async def test_a_model_that_demands_nothing_takes_any_history(
    new_world: Any, path: str, body: dict[str, Any], words: str
) -> None:
    plain = path.replace("+demand", "")
    assert (await new_world().ask("fake-tools-2-1", path=plain, **body)).status == 200
