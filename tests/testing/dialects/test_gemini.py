"""What is special about Gemini."""

from __future__ import annotations

import json
from typing import Any

from sidecar.testing.config import Key, ProviderConfig
from sidecar.testing.virtual import in_virtual_time

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
