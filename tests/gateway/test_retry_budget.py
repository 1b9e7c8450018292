"""An outage is not multiplied, and nothing is begun that cannot end in time."""

from __future__ import annotations

import asyncio

from sidecar.core.failure import Reason, RequestFailed
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import MODEL, House, completed

FEW = """
retry_budget: {share: 0.0, at_least_per_s: 0.1}
breaker: {consecutive: 1000, at_least: 1000}
"""


@in_virtual_time
async def test_when_the_share_is_used_up_the_error_says_so() -> None:
    house = House(*["http-500"] * 100, more=FEW)
    errors = [await house.failure() for _ in range(2)]
    assert [error.reason for error in errors] == [Reason.ATTEMPTS_EXHAUSTED] * 2
    assert len(house.books.entries) == 3, "one retry for the first request, none for the second"
    assert errors[1].metadata["retry_budget"] == "spent"
    assert "retries is used up" in errors[1].message
    house.judge()


@in_virtual_time
async def test_when_the_share_is_used_up_the_next_target_is_asked_at_once() -> None:
    house = House(*["http-500"] * 100, more=FEW)
    await house.failure("one")
    last = completed(await house.ask("both"))
    assert [a.provider for a in last.attempts] == ["deepseek", "second"]
    house.judge()


@in_virtual_time
async def test_an_outage_gets_little_more_than_its_traffic() -> None:
    limits = FEW.replace("0.0,", "0.2,").replace("0.1}", "0.0}")
    house = House(*["http-500"] * 1000, more=limits)
    asked = [asyncio.create_task(house.ask()) for _ in range(100)]
    await asyncio.gather(*asked, return_exceptions=True)
    assert len(house.books.entries) <= 120
    assert all(isinstance(task.exception(), RequestFailed) for task in asked)


@in_virtual_time
async def test_a_retry_that_waits_beside_a_free_target_is_given_back() -> None:
    house = House("http-500", "http-500", more=FEW.replace("0.1}", "0.2}"))
    assert [a.provider for a in completed(await house.ask("both")).attempts][-1]
    left = dict(house.engine.parts.experience.retries_left(house.clock.now()))
    made = sum(entry.cause.value == "retry" for entry in house.books.entries)
    assert left[f"deepseek/{MODEL}"] == 2.0 - made


@in_virtual_time
async def test_a_retry_whose_first_token_would_come_too_late_is_not_begun() -> None:
    house = House("http-500", "http-500", "http-500")
    for _ in range(50):
        house.engine.parts.experience.of(f"deepseek/{MODEL}").firsts.saw(9.0)
    error = await house.failure(timeout_s=8.0)
    assert error.reason is Reason.ATTEMPTS_EXHAUSTED
    assert len(house.books.entries) == 1
    assert house.clock.now() < 1.0


@in_virtual_time
async def test_the_largest_retry_after_that_was_told_is_waited_for() -> None:
    house = House("http-503-5", more="breaker: {consecutive: 1000, at_least: 1000}")
    await house.ask()
    first, second = house.first.log
    assert second.received_s - first.received_s >= 5.0
