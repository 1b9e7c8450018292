"""What an attempt left out, and what its provider told beside the stream."""

from __future__ import annotations

import logging

import pytest

from sidecar.core.events import AttemptSummary, Event
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import completed
from tests.gateway.tongues import Tongues


def only(events: list[Event]) -> AttemptSummary:
    (attempt,) = completed(events).attempts
    return attempt


@in_virtual_time
async def test_an_option_that_a_model_ignores_is_told_with_the_attempt() -> None:
    house = Tongues()
    attempt = only(await house.ask("deepseek/fake-reasoner-3-3", temperature=0.3, seed=4))
    assert attempt.dropped_options == ("temperature",)
    await house.aclose()


@in_virtual_time
async def test_an_attempt_that_left_nothing_out_tells_of_nothing() -> None:
    house = Tongues()
    assert only(await house.ask("deepseek/fake-reasoner-3-3", seed=4)).dropped_options == ()
    await house.aclose()


@in_virtual_time
async def test_what_was_left_out_is_in_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "headway.gateway")
    house = Tongues()
    await house.ask("deepseek/fake-reasoner-3-3", temperature=0.3)
    assert "deepseek/fake-reasoner-3-3: temperature" in caplog.text
    await house.aclose()


@in_virtual_time
@pytest.mark.parametrize("provider", ["deepseek", "openrouter", "anthropic", "openai-responses"])
async def test_the_provider_s_own_id_of_the_call_comes_with_the_attempt(provider: str) -> None:
    house = Tongues()
    assert only(await house.ask(f"{provider}/fake-3")).provider_trace == "fake-00000001"
    await house.aclose()


@in_virtual_time
async def test_the_provider_s_own_figure_stands_beside_ours() -> None:
    house = Tongues()
    attempt = only(await house.ask("openrouter/fake-reasoner-3-3"))
    assert attempt.provider_cost_nano_usd == attempt.cost.total_nano_usd > 0
    await house.aclose()


@in_virtual_time
async def test_a_provider_that_tells_no_figure_leaves_none() -> None:
    house = Tongues()
    assert only(await house.ask("deepseek/fake-3")).provider_cost_nano_usd is None
    await house.aclose()
