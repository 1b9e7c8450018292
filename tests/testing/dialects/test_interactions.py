"""What is special about Interactions."""

from __future__ import annotations

import json
from typing import Any

from sidecar.testing.virtual import in_virtual_time

PATH = "/v1beta/interactions"


def kinds(seen: Any) -> list[str]:
    return [json.loads(text)["event_type"] for text in seen.payloads if text != "[DONE]"]


@in_virtual_time
async def test_every_step_starts_grows_and_stops(new_world: Any) -> None:
    asked = {"input": "go", "generation_config": {"thinking_summaries": "auto"}}
    seen = await new_world().ask("fake-reasoner-1-1", path=PATH, **asked)
    step = ["step.start", "step.delta", "step.stop"]
    assert kinds(seen) == ["interaction.created", *step, *step, "interaction.completed"]
    assert seen.payloads[-1] == "[DONE]"


@in_virtual_time
async def test_a_thought_that_nobody_asked_for_is_a_step_without_text(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-2-1", path=PATH, input="go")
    starts = [json.loads(text) for text in seen.payloads if '"step.start"' in text]
    assert [start["step"]["type"] for start in starts] == ["thought", "model_output"]
    assert "thought_summary" not in seen.body.decode()


@in_virtual_time
async def test_input_may_not_be_missing(new_world: Any) -> None:
    seen = await new_world().ask("fake-3", path=PATH)
    assert (seen.status, seen.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
