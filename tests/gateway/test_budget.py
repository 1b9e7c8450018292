"""The caller's own bound on what a request may cost."""

from __future__ import annotations

import msgspec
import pytest

from sidecar.core.events import AttemptBegan, Completed
from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.money import Cost, Price
from sidecar.gateway.budget import Budget
from sidecar.testing.virtual import in_virtual_time
from tests.failover.making import cut, session
from tests.gateway.house import House

PRICE = Price(input=1_000_000, output=4_000_000)


def test_what_is_spent_is_the_prompt_and_every_piece() -> None:
    assert Budget(session(), PRICE, 10, 1000).spent(3, 2) == 10 + 20


def test_up_to_the_bound_nothing_is_said() -> None:
    Budget(session(), PRICE, 10, 30).check(3, 2)


def test_beyond_the_bound_the_request_ends_and_is_not_to_be_retried() -> None:
    with pytest.raises(RequestFailed) as caught:
        Budget(session(), PRICE, 10, 29).check(3, 2)
    assert (caught.value.reason, caught.value.retry_after_s) == (Reason.BUDGET_EXHAUSTED, None)


def test_attempts_before_count_too() -> None:
    one = session()
    cut(one)
    one.attempts[-1] = msgspec.structs.replace(one.attempts[-1], cost=Cost(500))
    assert Budget(one, PRICE, 10, 1000).spent(0, 0) == 510


def test_without_a_price_a_bound_cannot_be_kept_and_is_refused() -> None:
    with pytest.raises(RequestFailed, match="price"):
        Budget(session(), None, 10, 10**12).check(0, 0)


@in_virtual_time
async def test_a_stream_that_grows_too_dear_is_ended_and_settled() -> None:
    house = House()
    error = await house.failure(max_cost_nano_usd=30_000)
    assert error.reason is Reason.BUDGET_EXHAUSTED
    assert int(error.metadata["last_sequence"]) > 1
    house.judge()


@in_virtual_time
async def test_a_bound_that_the_prompt_alone_breaks_asks_nobody() -> None:
    house = House()
    error = await house.failure(max_cost_nano_usd=1)
    assert error.reason is Reason.BUDGET_EXHAUSTED
    assert error.metadata["last_sequence"] == "0"
    assert len(house.first.log) == 0
    house.judge()


@in_virtual_time
async def test_a_bound_that_is_wide_enough_changes_nothing() -> None:
    house = House()
    events = await house.ask(max_cost_nano_usd=10**9)
    assert isinstance(events[0], AttemptBegan)
    assert isinstance(events[-1], Completed)
    house.judge()
