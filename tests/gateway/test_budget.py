"""`max_cost_nano_usd`: a bound over all attempts, kept before and during a stream."""

from __future__ import annotations

import msgspec
import pytest

from sidecar.core.events import Completed
from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.request import Request
from sidecar.testing.virtual import in_virtual_time
from tests.simulation.world import Outcome, World


async def bought(most_nano_usd: int) -> tuple[World, Outcome]:
    """One request of the default route (12 tokens of reasoning, 16 of answer) with a bound."""
    world = World(1, 1, rate=0.0)
    wish = world.wishes[0]
    completion = msgspec.structs.replace(
        wish.completion, max_cost_nano_usd=most_nano_usd, model="default"
    )
    outcome = Outcome(wish, "bounded")
    now = world.clock.now()
    request = Request("bounded", completion, now + 600.0, now)
    try:
        await world._collect(outcome, world._begin(request))
    except RequestFailed as error:
        outcome.error = error
    await world.engine.aclose()
    return world, outcome


@in_virtual_time
async def test_a_prompt_that_costs_more_than_the_bound_is_never_sent() -> None:
    world, outcome = await bought(10)
    assert outcome.error is not None
    assert outcome.error.reason is Reason.BUDGET_EXHAUSTED
    assert outcome.error.retry_after_s is None
    assert not world.providers["deepseek"].log


@in_virtual_time
async def test_a_stream_ends_when_its_output_passes_the_bound() -> None:
    whole_world, whole = await bought(10**12)
    completed = whole.events[-1]
    assert isinstance(completed, Completed)
    most = completed.cost.input_nano_usd + completed.cost.reasoning_nano_usd
    world, outcome = await bought(most)
    assert outcome.error is not None
    assert outcome.error.reason is Reason.BUDGET_EXHAUSTED
    assert 1 < len(outcome.events) < len(whole.events)
    spent = world.books.entries[0].cost.total_nano_usd
    assert most < spent < completed.cost.total_nano_usd
    assert whole_world.books.entries[0].cost == completed.cost


@in_virtual_time
async def test_a_bound_that_is_kept_changes_nothing() -> None:
    _, outcome = await bought(10**12)
    assert isinstance(outcome.events[-1], Completed)


@pytest.mark.parametrize("most", [1, 8_000])
@in_virtual_time
async def test_the_error_says_what_was_allowed(most: int) -> None:
    _, outcome = await bought(most)
    assert outcome.error is not None
    assert outcome.error.metadata["max_cost_nano_usd"] == str(most)
