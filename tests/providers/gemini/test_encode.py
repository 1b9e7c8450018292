"""What the golden files of generateContent do not show."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sidecar.core.request import Completion, ImageUrl, Message, Prefix, Role, Text
from sidecar.providers import signature
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.gemini.encode import NO_SIGNATURE
from sidecar.providers.profiles import target
from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import TOOL_TURN, ask


def call(
    completion: Completion, model: str, prefix: Prefix | None = None, stream: bool = True
) -> HttpCall:
    profile = target(PROFILES["gemini"], model)
    return DIALECTS["gemini"].encode(completion, profile, prefix, "k", stream)


def body(completion: Completion, model: str = "gemini-3.1-pro-preview") -> Any:
    return msgspec.json.decode(call(completion, model).body)


def signed(state: Any) -> Completion:
    turns = list(TOOL_TURN.messages)
    turns[1] = msgspec.structs.replace(turns[1], signature=signature.pack("gemini", state))
    return msgspec.structs.replace(TOOL_TURN, messages=tuple(turns))


def test_signatures_and_ids_go_back_with_their_calls() -> None:
    sent = body(signed({"ids": {"1": "i"}, "calls": {"0": "s"}}))["contents"]
    first, second = sent[1]["parts"]
    assert first["thoughtSignature"] == "s"
    assert "id" not in first["functionCall"]
    assert second["functionCall"]["id"] == "i"
    assert "thoughtSignature" not in second
    assert sent[2]["parts"][1]["functionResponse"]["id"] == "i"


def test_a_call_of_another_provider_gets_googles_stand_in() -> None:
    first, second = body(TOOL_TURN)["contents"][1]["parts"]
    assert first["thoughtSignature"] == NO_SIGNATURE
    assert "thoughtSignature" not in second


def test_models_that_want_no_signature_get_none() -> None:
    parts = body(TOOL_TURN, "gemini-2.5-flash")["contents"][1]["parts"]
    assert not any("thoughtSignature" in part for part in parts)


def test_results_of_parallel_calls_are_one_turn() -> None:
    assert [turn["role"] for turn in body(TOOL_TURN)["contents"]] == ["user", "model", "user"]


@pytest.mark.parametrize(
    ("text", "response"),
    [("warm", {"output": "warm"}), ('{"c":31}', {"c": 31}), ("[1]", {"output": [1]})],
)
def test_a_result_is_sent_as_an_object(text: str, response: Any) -> None:
    turns = list(TOOL_TURN.messages)
    turns[2] = msgspec.structs.replace(turns[2], content=(Text(text),))
    sent = body(msgspec.structs.replace(TOOL_TURN, messages=tuple(turns)))
    assert sent["contents"][2]["parts"][0]["functionResponse"]["response"] == response


def test_an_address_of_an_image_is_refused() -> None:
    turn = Message(Role.USER, (ImageUrl("https://example.com/a.png"),))
    with pytest.raises(Unsupported, match="messages"):
        body(Completion("m", (turn,)))


def test_an_inline_image_is_sent_as_bytes() -> None:
    turn = Message(Role.USER, (ImageUrl("data:image/gif;base64,R0lG"),))
    part = body(Completion("m", (turn,)))["contents"][0]["parts"][0]
    assert part == {"inlineData": {"mimeType": "image/gif", "data": "R0lG"}}


def test_the_model_is_part_of_the_path_and_cannot_leave_it() -> None:
    assert call(ask(), "gemini-2.5-pro", stream=False).path == (
        "/models/gemini-2.5-pro:generateContent"
    )
    assert call(ask(), "../../secrets?x=").path.count("/") == 2


def test_a_model_turn_is_a_prefix_only_where_a_configuration_says_so() -> None:
    with pytest.raises(Unsupported, match="prefix"):
        call(ask(), "gemini-2.5-pro", Prefix(answer="It is"))
    able = target(PROFILES["gemini"], "gemini-2.5-pro", {"resume": "prefill"})
    made = DIALECTS["gemini"].encode(ask(), able, Prefix(answer="It is"), "k", True)
    last = msgspec.json.decode(made.body)["contents"][-1]
    assert last == {"role": "model", "parts": [{"text": "It is"}]}
