"""What sets the flavours of chat completions apart."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.testing.dialects.chat import flavour_of
from sidecar.testing.texts import written
from sidecar.testing.virtual import in_virtual_time, run

WHOLE = written(0, 20, 20)


def ends_with(**turn: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "go"}, {"role": "assistant", **turn}]


@pytest.mark.parametrize(
    ("path", "flavour"),
    [
        ("/chat/completions", "deepseek"),
        ("/beta/chat/completions", "deepseek"),
        ("/v1/chat/completions", "compatible"),
        ("/openai/v1/chat/completions", "openai"),
        ("/mistral/v1/chat/completions", "mistral"),
        ("/openrouter/api/v1/chat/completions", "openrouter"),
        ("/elsewhere/v1/chat/completions", "compatible"),
    ],
)
def test_the_path_names_the_flavour(path: str, flavour: str) -> None:
    assert flavour_of(path) == flavour


@in_virtual_time
async def test_openai_hides_its_reasoning_and_counts_it(new_world: Any) -> None:
    world = new_world()
    seen = await world.ask(
        "fake-reasoner-20-20",
        path="/openai/v1/chat/completions",
        stream_options={"include_usage": True},
    )
    assert (seen.reasoning, seen.answer) == ("", WHOLE.answer)
    assert seen.usage["completion_tokens_details"] == {"reasoning_tokens": 20}
    assert seen.times[1] == pytest.approx(21 * 0.015)


@in_virtual_time
async def test_usage_comes_in_a_chunk_of_its_own_if_asked_for(new_world: Any) -> None:
    world, path = new_world(), "/v1/chat/completions"
    assert (await world.ask("fake-5", path=path)).usage is None
    seen = await world.ask("fake-5", path=path, stream_options={"include_usage": True})
    assert seen.chunks[-1]["choices"] == []
    assert seen.chunks[-2]["choices"][0]["finish_reason"] == "stop"


@in_virtual_time
async def test_deepseeks_usage_rides_in_the_finish_chunk(new_world: Any) -> None:
    seen = await new_world().ask("fake-5+cached-2")
    last = seen.chunks[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["prompt_cache_hit_tokens"] == 2


@in_virtual_time
async def test_xai_counts_reasoning_outside_of_the_completion(new_world: Any) -> None:
    usage = (await new_world().ask("fake-reasoner-20-10", path="/xai/v1/chat/completions")).usage
    assert usage["completion_tokens"] == 10
    assert usage["total_tokens"] == usage["prompt_tokens"] + 30


@in_virtual_time
async def test_mistrals_thinking_is_a_part_of_the_content(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-20-20", path="/mistral/v1/chat/completions")
    contents = [chunk["choices"][0]["delta"].get("content") for chunk in seen.chunks]
    thoughts = [part["thinking"][0]["text"] for c in contents if isinstance(c, list) for part in c]
    assert "".join(thoughts) == WHOLE.reasoning
    assert "".join(c for c in contents if isinstance(c, str)) == WHOLE.answer


@in_virtual_time
async def test_openrouter_says_its_reasoning_twice(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-20-20", path="/openrouter/api/v1/chat/completions")
    deltas = [chunk["choices"][0]["delta"] for chunk in seen.chunks if chunk["choices"]]
    details = [d for delta in deltas for d in delta.get("reasoning_details", ())]
    assert "".join(d["text"] for d in details) == seen.reasoning == WHOLE.reasoning


@in_virtual_time
async def test_gpustack_sends_no_end_mark(new_world: Any) -> None:
    seen = await new_world().ask("fake-5", path="/gpustack/v1/chat/completions")
    assert (seen.finish, seen.done) == ("stop", False)


@pytest.mark.parametrize(
    ("path", "sign", "continues"),
    [
        ("/beta/chat/completions", {"prefix": True}, True),
        ("/mistral/v1/chat/completions", {"prefix": True}, True),
        ("/mistral/v1/chat/completions", {}, False),
        ("/openrouter/api/v1/chat/completions", {}, True),
        ("/llamacpp/v1/chat/completions", {}, True),
        ("/vllm/v1/chat/completions", {}, False),
        ("/openai/v1/chat/completions", {}, False),
        ("/v1/chat/completions", {}, False),
    ],
)
def test_each_flavour_has_its_own_sign_for_a_prefix(
    new_world: Any, path: str, sign: dict[str, Any], continues: bool
) -> None:
    async def main() -> None:
        messages = ends_with(content=WHOLE.answer[:33], **sign)
        seen = await new_world().ask("fake-20", path=path, messages=messages)
        assert seen.answer == (WHOLE.answer[33:] if continues else WHOLE.answer)

    run(main())


@in_virtual_time
async def test_vllm_continues_the_final_message_when_told_to(new_world: Any) -> None:
    seen = await new_world().ask(
        "fake-20",
        path="/vllm/v1/chat/completions",
        messages=ends_with(content=WHOLE.answer[:33]),
        continue_final_message=True,
        add_generation_prompt=False,
    )
    assert seen.answer == WHOLE.answer[33:]


@in_virtual_time
async def test_an_assistants_turn_with_tool_calls_is_no_prefix(new_world: Any) -> None:
    world = new_world()
    messages = ends_with(content="", tool_calls=[{"id": "1"}])
    await world.ask("fake-20", messages=messages)
    assert world.log[0].prefix is None


@in_virtual_time
async def test_content_can_be_a_list_of_parts(new_world: Any) -> None:
    world = new_world()
    parts = [
        {"type": "text", "text": "two words"},
        {"type": "image_url", "image_url": {"url": "x"}},
    ]
    await world.ask("fake-5", messages=[{"role": "user", "content": parts}])
    assert world.log[0].usage.input_tokens == 2
