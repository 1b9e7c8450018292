"""What is special about Anthropic's messages."""

from __future__ import annotations

from typing import Any

from sidecar.testing.config import Key, ProviderConfig
from sidecar.testing.texts import written
from sidecar.testing.virtual import in_virtual_time

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
