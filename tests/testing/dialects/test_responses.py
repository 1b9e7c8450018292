"""What is special about Responses."""

from __future__ import annotations

from typing import Any

from sidecar.testing.texts import written
from sidecar.testing.virtual import in_virtual_time

USER = {"role": "user", "content": "go"}
WHOLE = written(0, 6, 20)


def names(seen: Any) -> list[str]:
    lines = seen.body.decode().split("\n")
    return [line[7:] for line in lines if line.startswith("event: ")]


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
