"""What is special about the typed-event dialect."""

from __future__ import annotations

import json
from typing import Any

from sidecar.testing.virtual import in_virtual_time


@in_virtual_time
async def test_every_event_says_what_it_is(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-2-1", path="/typed/chat/completions")
    kinds = [json.loads(text)["type"] for text in seen.payloads if text != "[DONE]"]
    assert kinds == ["reasoning", "reasoning", "answer", "done"]
    assert seen.payloads[-1] == "[DONE]"


@in_virtual_time
async def test_the_count_of_reasoning_stands_beside_the_usage(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-2-1", path="/typed/chat/completions", stream=False)
    assert seen.json["reasoning_tokens"] == 2
    assert "reasoning_tokens" not in seen.json["usage"]
