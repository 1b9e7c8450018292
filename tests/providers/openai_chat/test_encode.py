"""What the golden files of the chat dialect do not show."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sidecar.core.request import (
    Completion,
    Effort,
    Message,
    Prefix,
    ReasoningOptions,
    Role,
    Text,
    ToolUse,
)
from sidecar.providers import signature
from sidecar.providers.dialect import HttpCall, Unsupported
from sidecar.providers.profiles import merge, target
from sidecar.providers.table import DIALECTS, PROFILES
from tests.providers.features import IMAGES, TOOL_TURN, ask, say, thinking, with_tools_forced


def call(
    completion: Completion, where: str, prefix: Prefix | None = None, stream: bool = True
) -> HttpCall:
    provider, _, model = where.partition("/")
    profile = target(PROFILES[provider], model)
    return DIALECTS["openai-chat"].encode(completion, profile, prefix, "k", stream)


def body(completion: Completion, where: str, prefix: Prefix | None = None) -> Any:
    return msgspec.json.decode(call(completion, where, prefix).body)


def test_retired_names_of_deepseek_are_never_sent() -> None:
    plain = body(ask(), "deepseek/deepseek-chat")
    reasoner = body(ask(), "deepseek/deepseek-reasoner")
    assert plain["model"] == reasoner["model"] == "deepseek-flash"
    assert plain["thinking"] == {"type": "disabled"}
    assert reasoner["thinking"] == {"type": "enabled"}


def test_a_name_that_says_not_to_think_wins_over_an_effort() -> None:
    made = call(thinking(Effort.HIGH), "deepseek/deepseek-chat")
    assert msgspec.json.decode(made.body)["thinking"] == {"type": "disabled"}
    assert made.dropped == ("reasoning.effort",)


def test_a_forced_tool_turns_deepseeks_default_thinking_off() -> None:
    made = call(with_tools_forced(None), "deepseek/deepseek-v4-pro")
    assert msgspec.json.decode(made.body)["thinking"] == {"type": "disabled"}
    assert made.dropped == ("reasoning",)


@pytest.mark.parametrize("where", ["deepseek/deepseek-v4-pro", "deepseek/deepseek-reasoner"])
def test_a_forced_tool_is_refused_where_thinking_was_asked_for(where: str) -> None:
    effort = Effort.HIGH if where.endswith("pro") else None
    with pytest.raises(Unsupported, match="tool_choice"):
        call(with_tools_forced(effort), where)


def test_a_forced_tool_is_fine_without_thinking() -> None:
    made = call(with_tools_forced(Effort.NONE), "deepseek/deepseek-v4-pro")
    assert msgspec.json.decode(made.body)["tool_choice"] == "required"
    assert made.dropped == ()


def test_deepseeks_reasoning_goes_back_in_tool_turns() -> None:
    sent = body(TOOL_TURN, "deepseek/deepseek-v4-pro")["messages"][1]
    assert sent["reasoning_content"] == "I need both."


def test_a_tool_turn_without_reasoning_gets_the_least_that_is_accepted() -> None:
    turns = list(TOOL_TURN.messages)
    turns[1] = msgspec.structs.replace(turns[1], reasoning="")
    sent = body(
        msgspec.structs.replace(TOOL_TURN, messages=tuple(turns)), "deepseek/deepseek-v4-pro"
    )
    assert sent["messages"][1]["reasoning_content"] == " "


def test_no_reasoning_goes_back_where_nothing_will_be_thought() -> None:
    quiet = msgspec.structs.replace(TOOL_TURN, reasoning=ReasoningOptions(Effort.NONE))
    assert "reasoning_content" not in body(quiet, "deepseek/deepseek-v4-pro")["messages"][1]


def test_openrouters_details_go_back_unchanged() -> None:
    details = [{"type": "reasoning.encrypted", "data": "x", "index": 0}]
    turns = list(TOOL_TURN.messages)
    turns[1] = msgspec.structs.replace(turns[1], signature=signature.pack("openai-chat", details))
    sent = body(
        msgspec.structs.replace(TOOL_TURN, messages=tuple(turns)), "openrouter/openai/gpt-5"
    )
    assert sent["messages"][1]["reasoning_details"] == details


def test_deepseek_continues_reasoning_at_its_beta_door() -> None:
    made = call(thinking(Effort.HIGH), "deepseek/deepseek-v4-pro", Prefix(reasoning="because"))
    last = msgspec.json.decode(made.body)["messages"][-1]
    assert made.path == "/beta/chat/completions"
    assert last == {
        "role": "assistant",
        "content": "",
        "prefix": True,
        "reasoning_content": "because",
    }


def test_reasoning_without_thinking_is_not_continued() -> None:
    made = call(
        thinking(Effort.NONE), "deepseek/deepseek-v4-pro", Prefix(reasoning="x", answer="y")
    )
    assert "prefix.reasoning" in made.dropped
    with pytest.raises(Unsupported, match="prefix"):
        call(thinking(Effort.NONE), "deepseek/deepseek-v4-pro", Prefix(reasoning="x"))


def test_a_target_without_prefixes_refuses_one() -> None:
    with pytest.raises(Unsupported, match="prefix"):
        call(ask(), "openai/gpt-5.4", Prefix(answer="It is"))


def test_a_vllm_prefill_says_so_in_the_body() -> None:
    sent = body(ask(), "vllm/qwen", Prefix(answer="It is"))
    assert sent["continue_final_message"] is True
    assert sent["add_generation_prompt"] is False


def resumed(completion: Completion, prefix: Prefix, **overrides: Any) -> Any:
    made = target(PROFILES["llamacpp"], "r1", overrides)
    sent = DIALECTS["openai-chat"].encode(completion, made, prefix, "", True)
    return msgspec.json.decode(sent.body)


def test_llamacpp_thinks_on_where_it_was_thinking_and_not_where_it_had_begun_to_answer() -> None:
    thoughts, both = Prefix(reasoning="Well"), Prefix(reasoning="Well", answer="It is")
    sent = resumed(thinking(Effort.HIGH), thoughts, resume="prefix")
    last = {"role": "assistant", "content": "", "reasoning_content": "Well"}
    assert sent["messages"][-1] == last
    assert sent["chat_template_kwargs"] == {"enable_thinking": True}
    sent = resumed(thinking(Effort.HIGH), both, resume="prefix")
    assert sent["messages"][-1] == {**last, "content": "It is"}
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}


def test_thoughts_are_sent_only_to_a_target_that_is_said_to_take_them() -> None:
    both = Prefix(reasoning="Well", answer="It is")
    made = call(thinking(Effort.HIGH), "llamacpp/qwen3", both)
    last = msgspec.json.decode(made.body)["messages"][-1]
    assert last == {"role": "assistant", "content": "It is"}
    assert made.dropped == ("prefix.reasoning",)
    with pytest.raises(Unsupported, match="chain of thought"):
        call(thinking(Effort.HIGH), "llamacpp/qwen3", Prefix(reasoning="Well"))


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        (Prefix(reasoning="Well, "), "Well, "),
        (Prefix(reasoning="Well.\n", answer="\nIt is"), "Well.\n</think>\nIt is"),
        (Prefix(answer="It is"), "</think>It is"),
    ],
)
def test_behind_a_tag_that_the_template_opens_the_turn_so_far_is_its_text(
    prefix: Prefix, text: str
) -> None:
    for asked in (ask(), thinking(Effort.NONE)):
        sent = resumed(asked, prefix, quirks={"think_tags": "open"})
        assert sent["messages"][-1] == {"role": "assistant", "content": text}


def test_mistrals_tool_ids_fit_and_stay_the_same() -> None:
    sent = body(TOOL_TURN, "mistral/mistral-large-latest")["messages"]
    ids = [made["id"] for made in sent[1]["tool_calls"]]
    assert all(len(id) == 9 and id.isalnum() for id in ids)
    assert [sent[2]["tool_call_id"], sent[3]["tool_call_id"]] == ids


def test_an_id_that_fits_mistral_is_left_alone() -> None:
    turn = Message(Role.ASSISTANT, (), tool_calls=(ToolUse("abcDEF123", "f", "{}"),))
    sent = body(Completion("m", (say(Role.USER, "a"), turn)), "mistral/mistral-large-latest")
    assert sent["messages"][1]["tool_calls"][0]["id"] == "abcDEF123"


def test_provider_options_come_last_and_win() -> None:
    sent = body(ask(max_tokens=5, provider_options={"max_tokens": 9.0}), "generic/m")
    assert sent["max_tokens"] == 9


def test_a_synchronous_call_asks_for_no_stream() -> None:
    made = call(ask(), "openai/gpt-4.1", stream=False)
    sent = msgspec.json.decode(made.body)
    assert sent["stream"] is False
    assert "stream_options" not in sent
    assert ("accept", "application/json") in made.headers


def test_images_are_refused_where_there_are_no_eyes() -> None:
    with pytest.raises(Unsupported, match="messages"):
        call(IMAGES, "deepseek/deepseek-v4-pro")


def test_a_tools_result_with_an_image_is_refused() -> None:
    result = Message(Role.TOOL, IMAGES.messages[0].content, tool_call_id="c")
    with pytest.raises(Unsupported, match="messages"):
        call(Completion("m", (result,)), "openai/gpt-4.1")


def test_several_texts_are_one_string() -> None:
    turn = Message(Role.USER, (Text("a"), Text("b")))
    assert body(Completion("m", (turn,)), "generic/m")["messages"][0]["content"] == "ab"


def test_no_key_means_no_credential() -> None:
    made = DIALECTS["openai-chat"].encode(ask(), target(PROFILES["vllm"], "m"), None, "", True)
    assert not any(name == "authorization" for name, _ in made.headers)


def test_a_profile_may_move_the_path() -> None:
    moved = merge(PROFILES["generic"], {"quirks": {"path": "/v2/chat"}})
    made = DIALECTS["openai-chat"].encode(ask(), target(moved, "m"), None, "", True)
    assert made.path == "/v2/chat"
