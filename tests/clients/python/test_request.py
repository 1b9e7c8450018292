"""What the keyword arguments of a request become."""

from typing import Any

import pytest
from headway import Partial, ToolCall
from headway._request import completion, turns
from headway.v1 import message_pb2, request_pb2


def built(**options: Any) -> request_pb2.Completion:
    return completion("default", "Why?", options)  # type: ignore[arg-type]


def test_a_string_is_one_turn_of_the_user() -> None:
    assert turns("Why?") == [
        message_pb2.Message(
            role=message_pb2.ROLE_USER, content=[message_pb2.ContentPart(text="Why?")]
        )
    ]


def test_dicts_are_turns_of_every_role() -> None:
    said = turns(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": ["a", {"type": "text", "text": "b"}]},
            {
                "role": "assistant",
                "content": None,
                "reasoning": "hm",
                "signature": "s",
                "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "42"},
        ]
    )
    assert [turn.role for turn in said] == [1, 2, 3, 4]
    assert [part.text for part in said[1].content] == ["a", "b"]
    assert (said[2].reasoning, said[2].signature, len(said[2].content)) == ("hm", "s", 0)
    assert said[2].tool_calls[0] == message_pb2.ToolCall(id="c", name="f", arguments="{}")
    assert said[3].tool_call_id == "c"


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        ({"image_url": "https://x/y"}, message_pb2.ContentPart(image_url="https://x/y")),
        ({"image_url": {"url": "https://x"}}, message_pb2.ContentPart(image_url="https://x")),
        (
            {"image": b"\x89", "media_type": "image/png"},
            message_pb2.ContentPart(image=message_pb2.Image(data=b"\x89", media_type="image/png")),
        ),
        (message_pb2.ContentPart(text="t"), message_pb2.ContentPart(text="t")),
    ],
)
def test_parts_may_be_images(part: Any, wire: message_pb2.ContentPart) -> None:
    assert list(turns([{"role": "user", "content": [part]}])[0].content) == [wire]


def test_a_result_goes_back_as_the_assistants_turn() -> None:
    turn = Partial(reasoning="r", signature="s", tool_calls=(ToolCall("c", "f", "{}"),)).message
    assert turns([turn, {"role": "tool", "tool_call_id": "c", "content": "1"}])[0] is turn
    assert (turn.role, turn.reasoning, turn.tool_calls[0].name) == (3, "r", "f")


def test_what_is_not_said_is_not_sent() -> None:
    wire = built(temperature=None, seed=None, tools=None)
    assert not wire.HasField("temperature")
    assert {field.name for field, _ in wire.ListFields()} == {"model", "messages"}


def test_zero_is_said() -> None:
    wire = built(temperature=0.0, seed=0, max_cost_nano_usd=0)
    assert wire.HasField("temperature")
    assert wire.HasField("seed")
    assert wire.HasField("max_cost_nano_usd")


def test_sampling_goes_over_as_it_is() -> None:
    wire = built(max_tokens=9, top_p=0.5, presence_penalty=1.0, frequency_penalty=-1.0, stop="END")
    assert (wire.max_tokens, wire.top_p, list(wire.stop)) == (9, 0.5, ["END"])
    assert (wire.presence_penalty, wire.frequency_penalty) == (1.0, -1.0)
    assert list(built(stop=["a", "b"]).stop) == ["a", "b"]


@pytest.mark.parametrize("nested", [False, True])
def test_tools_may_be_flat_or_nested(nested: bool) -> None:
    flat = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
    tool = built(tools=[{"type": "function", "function": flat} if nested else flat]).tools[0]
    assert (tool.name, tool.description, tool.strict) == ("f", "d", True)
    assert dict(tool.parameters) == {"type": "object"}


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ("required", request_pb2.ToolChoice(mode=request_pb2.TOOL_CHOICE_MODE_REQUIRED)),
        ("weather", request_pb2.ToolChoice(name="weather")),
        (request_pb2.ToolChoice(name="auto"), request_pb2.ToolChoice(name="auto")),
    ],
)
def test_a_tool_choice_is_a_mode_or_a_name(given: Any, wire: request_pb2.ToolChoice) -> None:
    assert built(tool_choice=given).tool_choice == wire


def test_a_response_format_is_a_word_or_a_schema() -> None:
    assert built(response_format="json_object").response_format.WhichOneof("format") == (
        "json_object"
    )
    form = built(response_format={"name": "n", "schema": {"type": "object"}, "strict": True})
    schema = form.response_format.json_schema
    assert (schema.name, dict(schema.schema), schema.strict) == ("n", {"type": "object"}, True)


def test_reasoning_is_an_effort_or_a_budget_and_may_be_left_out() -> None:
    assert built(reasoning="high").reasoning.effort == request_pb2.REASONING_EFFORT_HIGH
    assert built(reasoning=0).reasoning.WhichOneof("amount") == "token_budget"
    wire = built(reasoning=2048, include_reasoning=False).reasoning
    assert (wire.token_budget, wire.delivery) == (2048, request_pb2.REASONING_DELIVERY_EXCLUDE)
    either = built(include_reasoning=True, reasoning=request_pb2.Reasoning(token_budget=1))
    assert either.reasoning.delivery == request_pb2.REASONING_DELIVERY_INCLUDE


def test_who_asks_and_how_the_daemon_should_act() -> None:
    wire = built(
        priority="batch",
        caller="team",
        labels={"job": "7"},
        on_interruption="fail",
        cache="read_write",
        cache_ttl_s=1.5,
        provider_options={"logprobs": True},
    )
    assert (wire.priority, wire.caller, dict(wire.labels)) == (3, "team", {"job": "7"})
    assert (wire.on_interruption, wire.cache.mode) == (3, request_pb2.CACHE_MODE_READ_WRITE)
    assert wire.cache.ttl.ToMilliseconds() == 1500
    assert dict(wire.provider_options) == {"logprobs": True}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"priority": "urgent"}, "interactive, normal, batch"),
        ({"reasoning": "very"}, "none, low, medium, high, max"),
        ({"response_format": "xml"}, "json_object"),
        ({"tools": [{"name": "f", "paramaters": {}}]}, "paramaters"),
        ({"response_format": {"name": "n", "schema": {}, "scrict": True}}, "scrict"),
    ],
)
def test_a_wrong_value_is_told_with_what_there_is(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        built(**options)


def test_a_misspelt_option_is_refused() -> None:
    with pytest.raises(TypeError, match="temprature"):
        built(temprature=1.0)


def test_a_misspelt_field_of_a_message_is_refused() -> None:
    with pytest.raises(ValueError, match="contents"):
        turns([{"role": "user", "contents": "x"}])


def test_a_content_part_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="audio"):
        turns([{"role": "user", "content": [{"audio": b""}]}])
