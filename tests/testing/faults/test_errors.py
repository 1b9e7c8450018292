"""Each form of error inside a 200 looks as the card says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sidecar.testing.virtual import in_virtual_time, run

MODEL = "fake-reasoner-10-10"


def tail(seen: Any, events: int) -> list[str]:
    """The last events, as text."""
    return [event for event in seen.body.decode().split("\n\n") if event][-events:]


@pytest.mark.parametrize(
    ("form", "events", "texts", "done"),
    [
        ("openai", 1, ['"type":"server_error"'], False),
        ("rate", 2, ["rate_limit_exceeded"], True),
        ("responses-nested", 2, ['"error":{"type":"insufficient_quota"', "response.failed"], False),
        ("responses-flat", 2, ['"code":"insufficient_quota"', "response.failed"], False),
        ("anthropic", 1, ["event: error", "overloaded_error"], False),
        ("anthropic-api", 1, ["event: error", "api_error"], False),
        ("google-data", 1, ['data: {"error":{"code":503'], False),
        ("groq", 1, ["event: error", "tool_use_failed", '"status_code":400'], False),
        ("openrouter", 2, ['"finish_reason":"error"', '"code":502'], True),
        ("gpustack", 1, ['error: {"code":500'], False),
        ("vllm", 2, ['data: {"error":'], True),
        ("deepseek", 2, ['"finish_reason":"insufficient_system_resource"'], True),
        ("finish", 2, ['"finish_reason":"error"'], True),
        ("filter", 2, ['"finish_reason":"content_filter"'], True),
    ],
)
def test_a_form_comes_after_k_tokens_and_ends_the_stream(
    new_world: Any, form: str, events: int, texts: list[str], done: bool
) -> None:
    async def main() -> None:
        world = new_world()
        seen = await world.ask(f"{MODEL}+error-{form}-12")
        end = "\n".join(tail(seen, events))
        assert seen.status == 200
        assert [text for text in texts if text not in end] == []
        assert ("data: [DONE]" in end) == done
        assert world.log[0].usage.output_tokens == 12

    run(main())


@in_virtual_time
async def test_googles_bare_error_is_json_over_many_lines_outside_of_any_event(
    new_world: Any,
) -> None:
    seen = await new_world().ask(f"{MODEL}+error-google-bare-12")
    bare = seen.body.decode().split("\n\n")[-1]
    assert bare.startswith("{\n")
    assert json.loads(bare)["error"]["status"] == "UNAVAILABLE"


@in_virtual_time
async def test_ollamas_error_is_a_line(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+error-ollama-12", path="/api/chat")
    lines = seen.body.decode().strip().split("\n")
    assert len(lines) == 13
    assert json.loads(lines[-1]) == {"error": "model runner has stopped"}


@in_virtual_time
async def test_without_a_number_the_error_follows_the_opening_event(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+error-vllm")
    assert len(seen.payloads) == 3
    assert seen.payloads[2] == "[DONE]"


@in_virtual_time
async def test_a_first_error_is_the_first_event(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+firsterror-vllm")
    assert "error" in json.loads(seen.payloads[0])


@in_virtual_time
async def test_a_late_error_follows_the_finish_reason(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+lateerror-openai")
    assert '"finish_reason":"stop"' in seen.payloads[-2]
    assert "server_error" in seen.payloads[-1]


@in_virtual_time
async def test_a_finish_reason_of_failure_tells_the_usage_so_far(new_world: Any) -> None:
    usage = (await new_world().ask(f"{MODEL}+error-deepseek-12")).usage
    assert usage["completion_tokens"] == 12
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 10}


@in_virtual_time
async def test_a_whole_answer_has_its_error_in_place_of_an_answer(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+error-openrouter-3", stream=False)
    assert (seen.status, seen.json["error"]["code"]) == (200, 502)


@in_virtual_time
async def test_a_whole_answer_can_finish_with_a_reason_of_failure(new_world: Any) -> None:
    seen = await new_world().ask(f"{MODEL}+error-deepseek", stream=False)
    assert seen.json["choices"][0]["finish_reason"] == "insufficient_system_resource"
