"""Prices as written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sidecar.config.load import parse
from sidecar.config.prices import rules
from sidecar.core.money import Price
from sidecar.ledger.prices import PriceBook
from sidecar.ledger.window import wall_ns_of
from tests.config.making import PRICE, problems, with_price

MONDAY_NOON = wall_ns_of(datetime(2026, 11, 2, 12, tzinfo=UTC))
SUNDAY_NOON = wall_ns_of(datetime(2026, 11, 1, 12, tzinfo=UTC))
HOUR_NS = 3_600_000_000_000


def price_at(price: str, wall_ns: int, input_tokens: int = 0) -> Price | None:
    book = PriceBook({"p": "http://h/v1"}, None, rules(parse(with_price(price))))
    return book.quote("p", "M", wall_ns, input_tokens).price


def test_a_price_is_exact_to_the_nano_dollar() -> None:
    found = price_at("{input: 0.15, output: '0.60', cached_input: 0.003625, request: 0}", 0)

    assert found == Price(150_000_000, 600_000_000, 3_625_000)


def test_of_the_tiers_the_last_that_fits_decides() -> None:
    price = "[{input: 1, output: 1}, {input: 2, output: 2, above_input_tokens: 1000}]"

    small, large = price_at(price, 0, 1000), price_at(price, 0, 1001)
    assert (small, large) == (Price(10**9, 10**9), Price(2 * 10**9, 2 * 10**9))


def test_a_price_by_hours_and_days_holds_then_and_only_then() -> None:
    price = (
        "[{input: 1, output: 1}, {input: 2, output: 2, days: mon-fri, hours: ['20:00-21:00'], "
        "zone: Asia/Shanghai}]"
    )
    found = [
        price_at(price, moment)
        for moment in (MONDAY_NOON, MONDAY_NOON + HOUR_NS, MONDAY_NOON - 1, SUNDAY_NOON)
    ]

    assert [quote.input // 10**9 for quote in found if quote] == [2, 1, 1, 1]


def test_a_price_has_a_first_day_and_a_last() -> None:
    price = "{input: 1, output: 1, since: 2026-11-02, until: 2026-11-03}"

    found = [price_at(price, m) for m in (SUNDAY_NOON, MONDAY_NOON, MONDAY_NOON + 12 * HOUR_NS)]
    assert [quote is not None for quote in found] == [False, True, False]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("input: x", "input: expected US dollars for a million tokens, got 'x'"),
        ("input: -1", "input: expected US dollars"),
        ("input: .inf", "input: expected US dollars"),
        ("cached_input: free", "cached_input: expected US dollars"),
        ("since: '2026-13-01'", "since: expected a date such as 2026-11-01"),
        ("since: '2026-11-02', until: '2026-11-01'", "until must be after since"),
        ("days: moon", "days: expected such as mon-fri"),
        ("hours: [noon]", "hours: expected such as 01:00-04:00"),
        ("hours: ['25:00-26:00']", "hours: expected two times of a day"),
        ("hours: ['01:70-02:00']", "hours: expected two times of a day"),
        ("hours: ['02:00-02:00']", "hours: expected two times of a day"),
        ("days: mon, zone: Mars/Olympus", "zone: expected the name of a time zone"),
        ("above_input_tokens: -1", "above_input_tokens must not be negative"),
    ],
)
def test_a_price_that_means_nothing_is_told_at_its_place(fields: str, message: str) -> None:
    given = fields if fields.startswith("input") else f"input: 1, {fields}"

    assert problems(with_price(f"{{{given}, output: 1}}"))[PRICE].startswith(message)


def test_every_bad_tier_is_told_with_its_number() -> None:
    found = problems(with_price("[{input: a, output: 1}, {input: 1, output: 1}, {output: b}]"))

    assert set(found) == {f"{PRICE}[2].input"}
    found = problems(with_price("[{input: a, output: 1}, {input: 1, output: b}]"))
    assert set(found) == {f"{PRICE}[0]", f"{PRICE}[1]"}
