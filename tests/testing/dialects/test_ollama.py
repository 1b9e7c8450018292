"""What is special about Ollama's own chat."""

from __future__ import annotations

import json
from typing import Any

from sidecar.testing.texts import written
from sidecar.testing.virtual import in_virtual_time

USER = {"role": "user", "content": "go"}
WHOLE = written(0, 6, 20)


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
