"""What is special about Anthropic, Responses, Gemini and Ollama."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.testing.config import Key, ProviderConfig
from sidecar.testing.texts import written
from sidecar.testing.virtual import in_virtual_time, run

USER = {"role": "user", "content": "go"}
WHOLE = written(0, 6, 20)


def names(seen: Any) -> list[str]:
    lines = seen.body.decode().split("\n")
    return [line[7:] for line in lines if line.startswith("event: ")]


@in_virtual_time
async def test_anthropics_blocks_start_and_stop_in_order(new_world: Any) -> None:
    seen = await new_world().ask(
        "fake-reasoner-2-1+tools-1", path="/v1/messages", messages=[USER], max_tokens=99,
        thinking={"type": "enabled", "budget_tokens": 10},
    )  # fmt: skip
    kinds = names(seen)
    assert kinds[:3] == ["message_start", "ping", "content_block_start"]
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 3
    assert b'"signature_delta"' in seen.body


@in_virtual_time
async def test_anthropic_thinks_only_if_told_to(new_world: Any) -> None:
    world = new_world()
    await world.ask("fake-reasoner-6-20", path="/v1/messages", messages=[USER], max_tokens=99)
    assert world.log[0].usage.reasoning_tokens == 0


@in_virtual_time
async def test_anthropic_needs_max_tokens(new_world: Any) -> None:
    seen = await new_world().ask("fake-5", path="/v1/messages", messages=[USER])
    assert (seen.status, seen.json["error"]["type"]) == (400, "invalid_request_error")


@in_virtual_time
async def test_anthropic_continues_a_prefill_without_thinking(new_world: Any) -> None:
    turns = [USER, {"role": "assistant", "content": WHOLE.answer[:40]}]
    seen = await new_world().ask(
        "fake-20", path="/v1/messages", messages=turns, max_tokens=99, stream=False
    )
    assert seen.json["content"] == [{"type": "text", "text": WHOLE.answer[40:]}]


@in_virtual_time
async def test_anthropic_refuses_a_prefill_with_thinking(new_world: Any) -> None:
    turns = [USER, {"role": "assistant", "content": "Forest"}]
    seen = await new_world().ask(
        "fake-20", path="/v1/messages", messages=turns, max_tokens=99,
        thinking={"type": "adaptive"},
    )  # fmt: skip
    assert seen.status == 400
    assert "must end with a user message" in seen.json["error"]["message"]


@in_virtual_time
async def test_anthropics_input_leaves_out_what_was_cached(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask("fake-5+cached-3", path="/v1/messages", max_tokens=99, stream=False)
    usage = seen.json["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (3, 3)


@in_virtual_time
async def test_anthropic_takes_its_key_from_its_own_header(new_world: Any) -> None:
    world = new_world(ProviderConfig(keys={"sk-a": Key("a1")}))
    sent = {"authorization": "", "x-api-key": "sk-a"}
    seen = await world.ask("fake-5", path="/v1/messages", headers=sent, max_tokens=9)
    assert seen.status == 200


@in_virtual_time
async def test_anthropic_is_overloaded_with_529(new_world: Any) -> None:
    seen = await new_world().ask("fake-5+http-529", path="/v1/messages", max_tokens=9)
    assert seen.status == 529
    assert seen.json["error"] == {"type": "overloaded_error", "message": "Overloaded"}


@in_virtual_time
async def test_responses_of_openai_summarise_and_those_of_deepseek_do_not(new_world: Any) -> None:
    world = new_world()
    openai = await world.ask("fake-reasoner-6-20", path="/v1/responses", input="go")
    deepseek = await world.ask("fake-reasoner-6-20", path="/responses", input="go")
    assert "response.reasoning_summary_text.delta" in names(openai)
    assert "response.reasoning_summary_part.added" in names(openai)
    assert "response.reasoning_text.delta" in names(deepseek)
    assert b"[DONE]" not in openai.body + deepseek.body


@in_virtual_time
async def test_responses_have_the_grammar_of_the_recordings(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-1-1", path="/responses", input="go")
    part = ["response.output_item.added", "response.content_part.added"]
    ends = ["response.content_part.done", "response.output_item.done"]
    assert names(seen) == [
        "response.created", "response.in_progress",
        *part, "response.reasoning_text.delta", "response.reasoning_text.done", *ends,
        *part, "response.output_text.delta", "response.output_text.done", *ends,
        "response.completed",
    ]  # fmt: skip


@in_virtual_time
async def test_responses_start_anew_after_an_assistants_item(new_world: Any) -> None:
    items = [USER, {"role": "assistant", "content": WHOLE.answer[:40]}]
    seen = await new_world().ask("fake-20", path="/v1/responses", input=items, stream=False)
    assert seen.json["output"][0]["content"][0]["text"] == WHOLE.answer


@in_virtual_time
async def test_responses_need_an_input(new_world: Any) -> None:
    assert (await new_world().ask("fake-5", path="/v1/responses")).status == 400


CONTENTS = [{"role": "user", "parts": [{"text": "go"}]}]
GEMINI = "/v1beta/models/fake-reasoner-6-20:streamGenerateContent?alt=sse"


@in_virtual_time
async def test_gemini_hides_thoughts_unless_they_are_asked_for(new_world: Any) -> None:
    world = new_world()
    hidden = await world.ask("", path=GEMINI, contents=CONTENTS)
    assert b'"thought"' not in hidden.body
    assert b'"thoughtsTokenCount":6' in hidden.body
    config = {"thinkingConfig": {"includeThoughts": True}}
    shown = await world.ask("", path=GEMINI, contents=CONTENTS, generationConfig=config)
    assert b'"thought":true' in shown.body


@in_virtual_time
async def test_gemini_ends_with_its_body_alone_and_frames_with_crlf(new_world: Any) -> None:
    seen = await new_world().ask("", path=GEMINI, contents=CONTENTS)
    assert b"[DONE]" not in seen.body
    assert seen.body.endswith(b"}\r\n\r\n")
    assert b'"finishReason":"STOP"' in seen.body.split(b"\r\n\r\n")[-2]


@in_virtual_time
async def test_geminis_usage_grows_with_every_chunk(new_world: Any) -> None:
    seen = await new_world().ask("", path=GEMINI, contents=CONTENTS)
    events = [event for event in seen.body.decode().split("\r\n\r\n") if event]
    totals = [json.loads(event[6:])["usageMetadata"]["totalTokenCount"] for event in events]
    assert totals == [*range(1 + 7, 1 + 27), 27]


@in_virtual_time
async def test_a_bad_key_is_400_at_gemini(new_world: Any) -> None:
    world = new_world(ProviderConfig(keys={"good": Key("g1")}))
    sent = {"authorization": "", "x-goog-api-key": "bad"}
    seen = await world.ask("", path=GEMINI, headers=sent, contents=CONTENTS)
    assert seen.status == 400
    assert seen.json["error"]["details"][0]["reason"] == "API_KEY_INVALID"


@in_virtual_time
async def test_geminis_model_is_read_from_the_path(new_world: Any) -> None:
    world = new_world()
    path = "/v1beta/models/fake-5%2Bhttp-503%401:generateContent"
    assert (await world.ask("", path=path, contents=CONTENTS)).status == 503
    assert world.log[0].model == "fake-5+http-503@1"


@in_virtual_time
async def test_ollama_needs_no_key_and_streams_by_default(new_world: Any) -> None:
    world = new_world()
    body = json.dumps({"model": "fake-5", "messages": [USER]}).encode()
    seen = await world.send("POST", "/api/chat", {}, body)
    assert (seen.status, seen.headers["content-type"]) == (200, "application/x-ndjson")
    assert len(seen.body.splitlines()) == 6
    assert world.log[0].key == "nobody"


@in_virtual_time
async def test_ollama_continues_an_assistants_turn(new_world: Any) -> None:
    turns = [USER, {"role": "assistant", "content": WHOLE.answer[:40]}]
    seen = await new_world().ask("fake-20", path="/api/chat", messages=turns, stream=False)
    assert seen.json["message"]["content"] == WHOLE.answer[40:]


@in_virtual_time
async def test_ollama_stops_without_saying_why_after_tools(new_world: Any) -> None:
    seen = await new_world().ask("fake-tools-0-1", path="/api/chat", stream=False)
    assert seen.json["done_reason"] == "stop"
    assert seen.json["message"]["tool_calls"][0]["function"]["name"] == "get_departures"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", GEMINI, "/api/chat"])
def test_a_body_without_its_messages_is_refused(new_world: Any, path: str) -> None:
    async def main() -> None:
        seen = await new_world().send("POST", path, {"authorization": "Bearer k"}, b"{}")
        assert seen.status == 400

    run(main())
