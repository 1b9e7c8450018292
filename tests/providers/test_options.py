"""The rules that all encoders share."""

from __future__ import annotations

import pytest

from sidecar.core.request import Effort, ImageUrl, ReasoningOptions
from sidecar.providers import options
from sidecar.providers.dialect import Unsupported
from sidecar.providers.profiles import ProviderProfile, Quirks, target
from tests.providers.features import WEATHER, ask, thinking

PLAIN = ProviderProfile("p", "openai-chat", "")


@pytest.mark.parametrize(
    ("budget", "effort"),
    [
        (0, Effort.NONE),
        (500, Effort.LOW),
        (2_048, Effort.LOW),
        (8_192, Effort.MEDIUM),
        (8_193, Effort.HIGH),
    ],
)
def test_a_budget_stands_for_an_effort(budget: int, effort: Effort) -> None:
    assert options.effort_of(ask(reasoning=ReasoningOptions(token_budget=budget))) is effort


def test_an_effort_wins_over_a_budget() -> None:
    asked = ask(reasoning=ReasoningOptions(Effort.LOW, token_budget=99_999))
    assert options.effort_of(asked) is Effort.LOW


def test_a_model_that_cannot_think_does_not() -> None:
    assert not options.thinking(thinking(Effort.HIGH), target(PLAIN, "m"))


@pytest.mark.parametrize("default", [True, False])
def test_without_a_word_the_default_decides(default: bool) -> None:
    quirks = Quirks(thinks_by_default=default)
    profile = ProviderProfile("p", "openai-chat", "", quirks=quirks)
    assert options.thinking(ask(), target(profile, "m", {"reasoning": True})) is default


def test_an_effort_for_a_model_that_cannot_think_is_reported() -> None:
    body = options.Body()
    assert not options.reasoning(thinking(Effort.HIGH), target(PLAIN, "m"), body)
    assert body.dropped == ["reasoning"]


def test_no_effort_for_a_model_that_cannot_think_is_nothing_to_report() -> None:
    body = options.Body()
    options.reasoning(thinking(Effort.NONE), target(PLAIN, "m"), body)
    assert body.dropped == []


def test_an_effort_without_words_for_it_is_reported() -> None:
    body = options.Body()
    options.reasoning(thinking(Effort.LOW), target(PLAIN, "m", {"reasoning": True}), body)
    assert body.dropped == ["reasoning.effort"]


def test_a_budget_goes_where_the_profile_says() -> None:
    quirks = Quirks(budget_path="a.b", budget_body={"a": {"on": True}})
    profile = ProviderProfile("p", "openai-chat", "", quirks=quirks)
    body = options.Body()
    asked = ask(reasoning=ReasoningOptions(token_budget=7))
    options.reasoning(asked, target(profile, "m", {"reasoning": True}), body)
    assert body.fields == {"a": {"on": True, "b": 7}}
    assert body.dropped == []


def test_tools_are_refused_where_there_are_none() -> None:
    with pytest.raises(Unsupported, match="tools"):
        options.check(ask(tools=(WEATHER,)), target(PLAIN, "m", {"tools": False}))


def test_what_a_profile_refuses_is_refused() -> None:
    profile = ProviderProfile("p", "openai-chat", "", quirks=Quirks(refuse=("stop",)))
    with pytest.raises(Unsupported, match="stop"):
        options.check(ask(stop=("x",)), target(profile, "m"))
    options.check(ask(), target(profile, "m"))


def test_merging_does_not_touch_the_profile() -> None:
    fragment = {"a": {"b": 1}}
    body = options.Body()
    body.merge(fragment)
    body.put("a.c", 2)
    assert fragment == {"a": {"b": 1}}


def test_whole_floats_become_integers_and_others_stay() -> None:
    given = {"a": 5.0, "b": [1.0, 0.5], "c": {"d": 2.0}, "e": True, "f": "x", "g": 1e300}
    made = options.plain_options(given)
    assert made == given
    assert isinstance(made["a"], int)
    assert isinstance(made["b"][1], float)
    assert made["e"] is True


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("data:image/gif;base64,R0lG", ("image/gif", "R0lG")),
        ("data:;base64,R0lG", ("image/png", "R0lG")),
        ("data:image/gif,plain", None),
        ("https://example.com/a.png", None),
    ],
)
def test_inline_images_are_recognised(url: str, wanted: tuple[str, str] | None) -> None:
    assert options.image_address(ImageUrl(url)) == wanted
