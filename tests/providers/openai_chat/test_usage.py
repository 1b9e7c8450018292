"""The arithmetic of usage."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.providers.openai_chat.usage import cost_of, usage_of


def told(prompt: int, completion: int, total: int, **more: Any) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return {**counts, **more}


def reasoned(tokens: int | None) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": tokens}}


CASES: dict[str, tuple[dict[str, Any], int, int]] = {
    # name: (usage, output, reasoning)
    "inside the output": (told(290, 51, 341, **reasoned(22)), 51, 22),
    "beside the output, as the total says": (told(213, 2, 413, **reasoned(198)), 200, 198),
    "hidden in the total alone": (told(12, 35, 109), 97, 62),
    "not itemised": (told(10, 232, 242), 232, 0),
    "a slip of one": (told(43, 10, 53, **reasoned(11)), 11, 11),
    "at the top": (told(10, 50, 60, reasoning_tokens=20), 50, 20),
    "null": (told(10, 50, 60, **reasoned(None)), 50, 0),
    "no total": ({"prompt_tokens": 10, "completion_tokens": 5}, 5, 0),
    "a total that is too small": (told(10, 5, 3), 5, 0),
    "explicit zeros": (told(0, 0, 0), 0, 0),
    "nothing at all": ({}, 0, 0),
    "nonsense": ({"prompt_tokens": "x", "completion_tokens": [], "total_tokens": {}}, 0, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_output_includes_reasoning(name: str) -> None:
    usage, output, reasoning = CASES[name]
    normal, _ = usage_of(usage)
    assert (normal.output_tokens, normal.reasoning_tokens) == (output, reasoning)


def test_a_gateway_known_to_count_beside_is_believed_where_it_must() -> None:
    normal, _ = usage_of(told(109, 112, 221, **reasoned(256)), outside=True)
    assert (normal.output_tokens, normal.reasoning_tokens) == (368, 256)


@pytest.mark.parametrize(
    ("usage", "itemised"),
    [
        (told(1, 5, 6, **reasoned(0)), True),
        (told(1, 5, 6), False),
        (told(1, 5, 9), True),
    ],
)
def test_it_is_known_whether_reasoning_was_itemised(usage: dict[str, Any], itemised: bool) -> None:
    assert usage_of(usage)[1] is itemised


@pytest.mark.parametrize(
    "more",
    [
        {"prompt_tokens_details": {"cached_tokens": 8}},
        {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2},
        {"cached_tokens": 8},
    ],
)
def test_cached_input_is_found_in_all_its_places(more: dict[str, Any]) -> None:
    assert usage_of(told(10, 1, 11, **more))[0].cached_input_tokens == 8


def test_cache_writes_are_found() -> None:
    details = {"cached_tokens": 3, "cache_write_tokens": 4}
    normal, _ = usage_of(told(10, 1, 11, prompt_tokens_details=details))
    assert normal.cache_write_tokens == 4


def test_the_cache_is_never_larger_than_the_input() -> None:
    details = {"cached_tokens": 30, "cache_write_tokens": 40}
    normal, _ = usage_of(told(10, 1, 11, prompt_tokens_details=details))
    assert (normal.cached_input_tokens, normal.cache_write_tokens) == (10, 0)


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        ({"cost": 0.001156}, 1_156_000),
        ({"cost": "0.00637625"}, 6_376_250),
        ({"cost": {"total_cost": 0.00501}}, 5_010_000),
        ({"cost_in_usd_ticks": 3_080_400}, 308_040),
        (
            {"cost": 0.0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}},
            500_000_000,
        ),
        ({"cost": 0}, 0),
        ({}, None),
    ],
)
def test_what_was_charged_is_read(usage: dict[str, Any], nano: int | None) -> None:
    assert cost_of(usage) == nano
