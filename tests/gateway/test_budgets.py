"""Budgets of callers and labels, through the whole gateway."""

from __future__ import annotations

import asyncio

import msgspec

from sidecar.core.events import Completed
from sidecar.core.failure import Reason
from sidecar.ledger.ledger import Ledger
from sidecar.limits.spend import Rule
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import House, completed

TEAM = Rule("team", "day", 10**9, caller="search")
NIGHT = Rule("night", "month", 10**9, label=("job", "nightly"))
DAY_S = 86_400.0


def house(*rules: Rule, **more: object) -> House:
    one = House(**more)  # type: ignore[arg-type]
    one.engine.spending.apply(rules)
    return one


def spent(one: House) -> list[int]:
    return [found.nano_usd for found in one.engine.spending.spent()]


@in_virtual_time
async def test_what_is_spent_is_what_the_attempts_cost() -> None:
    one = house(TEAM)
    events = await one.ask(caller="search")
    assert spent(one) == [completed(events).cost.total_nano_usd]
    one.judge()


@in_virtual_time
async def test_attempts_that_failed_cost_nothing_of_it() -> None:
    one = house(TEAM)
    first = completed(await one.ask(caller="search")).cost.total_nano_usd
    again = House("http-500", "http-500")
    again.engine.spending.apply((TEAM,))
    await again.ask(caller="search")
    assert spent(again) == [first]


@in_virtual_time
async def test_other_callers_and_labels_spend_nothing_of_it() -> None:
    one = house(TEAM, NIGHT)
    await one.ask(caller="other", labels=(("job", "daily"),))
    assert spent(one) == [0, 0]


@in_virtual_time
async def test_a_label_has_its_budget_too() -> None:
    one = house(NIGHT)
    events = await one.ask(labels=(("job", "nightly"),))
    assert spent(one) == [completed(events).cost.total_nano_usd]


@in_virtual_time
async def test_beyond_it_nobody_is_asked_and_retrying_is_no_use() -> None:
    one = house(msgspec.structs.replace(TEAM, limit_nano_usd=1))
    error = await one.failure(caller="search")
    assert (error.reason, error.retry_after_s) == (Reason.BUDGET_EXHAUSTED, None)
    assert error.metadata["budget"] == "team"
    assert error.metadata["spent_nano_usd"] == "0"
    assert error.metadata["resets"].endswith("T00:00:00Z")
    assert len(one.first.log) == 0
    one.judge()


@in_virtual_time
async def test_a_refused_request_gives_its_lease_back() -> None:
    one = house(
        msgspec.structs.replace(TEAM, limit_nano_usd=1),
        limits="{requests: 1, burst: 1}, {concurrency: 1}",
    )
    await one.failure(caller="search")
    assert one.free() == {"requests": 1, "concurrency": 1}


@in_virtual_time
async def test_the_next_window_begins_anew() -> None:
    one = house(msgspec.structs.replace(TEAM, limit_nano_usd=10**8))
    account = one.engine.spending.spent()[0].account
    one.engine.spending._store.recall(account, 10**8)
    assert (await one.failure(caller="search")).reason is Reason.BUDGET_EXHAUSTED
    await asyncio.sleep(DAY_S)
    await one.ask(caller="search")


@in_virtual_time
async def test_a_caller_that_hangs_up_pays_what_was_used() -> None:
    one = house(TEAM)
    stream = one.stream(one.request(caller="search"))
    for _ in range(4):
        await anext(stream)
    await stream.aclose()
    assert spent(one) == [one.books.entries[-1].cost.total_nano_usd]


@in_virtual_time
async def test_a_model_without_a_price_is_refused_where_a_budget_must_be_kept() -> None:
    one = house(TEAM)
    error = await one.failure(route="second/unpriced-12", caller="search")
    assert error.reason is Reason.BUDGET_EXHAUSTED
    assert "price" in str(error)


@in_virtual_time
async def test_a_budget_may_say_that_models_without_a_price_are_free() -> None:
    one = house(msgspec.structs.replace(TEAM, free_unpriced=True))
    one.engine.spending._price_of = lambda target, tokens: None
    assert isinstance((await one.ask(caller="search"))[-1], Completed)


@in_virtual_time
async def test_after_a_restart_the_ledger_tells_what_was_spent() -> None:
    before = house(TEAM)
    cost = completed(await before.ask(caller="search")).cost.total_nano_usd
    ledger = Ledger.open(":memory:", before.clock)
    for entry in before.books.entries:
        ledger.record(entry)
    after = house(TEAM, NIGHT)
    await after.engine.spending.recall(ledger.usage)
    assert spent(after) == [cost, 0]
    await ledger.aclose()
