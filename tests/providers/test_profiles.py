"""Profiles and what a configuration may lay over them."""

from __future__ import annotations

import pytest

from sidecar.providers.profiles import (
    ModelProfile,
    ProviderProfile,
    Quirks,
    merge,
    merged,
    model_profile,
    target,
)

BASE = ProviderProfile(
    "p",
    "openai-chat",
    "https://example.com",
    quirks=Quirks(efforts={"low": {"a": 1}, "high": {"a": 2}}),
    models=(("big-*", ModelProfile(reasoning=True, context_tokens=9)),),
)


def test_the_first_pattern_that_fits_counts() -> None:
    assert model_profile(BASE, "big-one").reasoning
    assert not model_profile(BASE, "small").reasoning


def test_a_target_takes_overrides_of_its_model() -> None:
    made = target(BASE, "small", {"reasoning": True, "resume": "prefix"})
    assert made.profile.reasoning
    assert made.resume == "prefix"


def test_a_models_quirks_lie_over_the_providers() -> None:
    made = target(BASE, "small", {"quirks": {"efforts": {"low": {"b": 3}}, "schema": False}})
    assert made.quirks.efforts == {"low": {"b": 3}, "high": {"a": 2}}
    assert not made.quirks.schema


def test_a_configuration_may_override_every_field() -> None:
    made = merge(
        BASE,
        {
            "base_url": "https://other.example",
            "quirks": {"max_tokens_field": "max_completion_tokens"},
            "default_model": {"images": False},
            "models": {"small": {"reasoning": True}},
            "timeouts": {"first_event_s": 7.0},
        },
    )
    assert made.base_url == "https://other.example"
    assert made.quirks.max_tokens_field == "max_completion_tokens"
    assert made.quirks.efforts == BASE.quirks.efforts
    assert model_profile(made, "small").reasoning
    assert not model_profile(made, "other").images
    assert made.timeouts.first_event_s == 7.0


def test_an_override_of_a_known_model_keeps_what_it_does_not_name() -> None:
    made = merge(BASE, {"models": {"big-one": {"images": False}}})
    assert model_profile(made, "big-one").context_tokens == 9


def test_overriding_nothing_changes_nothing() -> None:
    assert merge(BASE, {}) == BASE


@pytest.mark.parametrize("fields", [{"colour": 1}, {"reasoning": "yes"}, {"resume": "maybe"}])
def test_an_override_that_does_not_fit_is_named(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="|".join(fields)):
        merged(ModelProfile(), fields)


def test_the_name_on_the_wire_may_be_another() -> None:
    assert target(BASE, "small").upstream_model == "small"
    assert target(BASE, "small", {"upstream": "tiny"}).upstream_model == "tiny"


@pytest.mark.parametrize(
    ("quirks", "in_text"),
    [
        ({"think_tags": "open", "prefix": {"behind_template": True}}, True),
        ({"think_tags": "auto", "prefix": {"behind_template": True}}, False),
        ({"think_tags": "open"}, False),
    ],
)
def test_thoughts_go_in_the_text_where_the_template_opens_their_tag_unseen(
    quirks: dict[str, object], in_text: bool
) -> None:
    made = target(BASE, "m", {"resume": "prefill", "quirks": quirks})
    assert made.thoughts_in_text is in_text
    assert made.takes_reasoning_prefix is in_text
    assert made.resume == ("prefix" if in_text else "prefill")


def test_a_reasoning_prefix_needs_both_a_way_and_a_word_for_it() -> None:
    word = {"quirks": {"prefix": {"reasoning_field": "reasoning_content"}}}
    assert target(BASE, "m", {"resume": "prefix", **word}).takes_reasoning_prefix
    assert not target(BASE, "m", {"resume": "prefix"}).takes_reasoning_prefix
    assert not target(BASE, "m", word).takes_reasoning_prefix
