from __future__ import annotations

from datetime import date

import pytest

from sidecar.core.money import Price
from sidecar.ledger.deepseek import DEEPSEEK, HOLIDAYS
from sidecar.ledger.price_file import load
from sidecar.ledger.prices import PriceBook
from tests.ledger.making import NOON_NS, at, usd


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook({"deepseek": ""}, load(None, ""))


FLASH_OFF = usd("0.15", "0.60", "0.003")
FLASH_PEAK = usd("0.30", "1.20", "0.006")
PRO_OFF = usd("0.66", "1.98", "0.022")
PRO_PEAK = usd("1.32", "3.96", "0.044")


@pytest.mark.parametrize(
    ("model", "moment", "price", "tier"),
    [
        # The table of the reference, on a Monday.
        ("deepseek-flash", "2026-11-02T00:59:59", FLASH_OFF, "off-peak"),
        ("deepseek-flash", "2026-11-02T01:00:00", FLASH_PEAK, "peak"),
        ("deepseek-flash", "2026-11-02T03:59:59", FLASH_PEAK, "peak"),
        ("deepseek-flash", "2026-11-02T04:00:00", FLASH_OFF, "off-peak"),
        ("deepseek-flash", "2026-11-02T06:00:00", FLASH_PEAK, "peak"),
        ("deepseek-flash", "2026-11-02T10:00:00", FLASH_OFF, "off-peak"),
        ("deepseek-v4-pro", "2026-11-02T02:00:00", PRO_PEAK, "peak"),
        ("deepseek-v4-pro", "2026-11-02T05:00:00", PRO_OFF, "off-peak"),
        # Still called by its old name, served by flash.
        ("deepseek-v4-flash", "2026-11-02T02:00:00", FLASH_PEAK, "peak"),
        ("deepseek-reasoner", "2026-11-02T02:00:00", FLASH_PEAK, "peak"),
        ("DeepSeek-Flash", "2026-11-02T02:00:00", FLASH_PEAK, "peak"),
        # Saturday and Sunday; also a Saturday that is worked in exchange for a holiday.
        ("deepseek-v4-pro", "2026-11-07T02:00:00", PRO_OFF, "off-peak"),
        ("deepseek-v4-pro", "2026-11-08T07:00:00", PRO_OFF, "off-peak"),
        ("deepseek-v4-pro", "2026-10-10T07:00:00", PRO_OFF, "off-peak"),
        # Chinese public holidays on working days; the working day after them.
        ("deepseek-v4-pro", "2026-09-25T02:00:00", PRO_OFF, "off-peak"),
        ("deepseek-v4-pro", "2026-10-07T02:00:00", PRO_OFF, "off-peak"),
        ("deepseek-v4-pro", "2026-10-08T02:00:00", PRO_PEAK, "peak"),
        ("deepseek-v4-pro", "2027-02-05T02:00:00", PRO_OFF, "off-peak"),
        # The history: two tiers since 2026-08-16 16:00 UTC, on all days for the first week.
        ("deepseek-v4-pro", "2026-08-16T15:59:59", usd("0.435", "0.87", "0.003625"), "flat"),
        ("deepseek-v4-pro", "2026-08-16T16:00:00", PRO_OFF, "off-peak"),
        ("deepseek-v4-pro", "2026-08-22T02:00:00", PRO_PEAK, "peak"),
        ("deepseek-v4-pro", "2026-08-23T02:00:00", PRO_OFF, "off-peak"),
        ("deepseek-v4-flash", "2026-08-16T02:00:00", usd("0.14", "0.28", "0.0028"), "flat"),
        ("deepseek-v4-flash", "2026-08-17T02:00:00", usd("0.44", "1.32", "0.014"), "peak"),
        ("deepseek-v4-flash", "2026-08-17T05:00:00", usd("0.22", "0.66", "0.007"), "off-peak"),
        ("deepseek-v4-flash", "2026-09-10T03:59:59", usd("0.44", "1.32", "0.014"), "peak"),
        ("deepseek-v4-flash", "2026-09-10T06:00:00", FLASH_PEAK, "peak"),
        ("deepseek-chat", "2025-12-01T02:00:00", usd("0.28", "0.42", "0.028"), "flat"),
    ],
)
def test_deepseek_costs_what_its_page_says_at_that_hour(
    book: PriceBook, model: str, moment: str, price: Price, tier: str
) -> None:
    quote = book.quote("deepseek", model, at(moment))
    assert (quote.price, quote.tier) == (price, f"deepseek {tier}")


def test_models_we_have_no_figures_for_are_the_librarys(book: PriceBook) -> None:
    assert "genai-prices" in book.quote("deepseek", "deepseek-v3.2-exp", NOON_NS).tier


@pytest.mark.parametrize("model", ["deepseek-flash", "deepseek-v4-pro"])
def test_the_peak_price_is_twice_the_off_peak_one(book: PriceBook, model: str) -> None:
    peak = book.quote("deepseek", model, at("2026-11-02T02:00:00")).price
    quiet = book.quote("deepseek", model, at("2026-11-02T05:00:00")).price
    assert peak is not None
    assert quiet is not None
    assert (peak.input, peak.output, peak.cached_input) == (
        2 * quiet.input,
        2 * quiet.output,
        2 * (quiet.cached_input or 0),
    )


def test_every_rule_is_about_deepseek() -> None:
    assert {rule.provider for rule in DEEPSEEK} == {"deepseek"}


@pytest.mark.parametrize(("year", "count"), [(2026, 33), (2027, 13)])
def test_each_year_has_its_holidays(year: int, count: int) -> None:
    assert sum(day.year == year for day in HOLIDAYS) == count


def test_a_day_worked_in_exchange_is_no_holiday() -> None:
    worked = {date(2026, 1, 4), date(2026, 2, 14), date(2026, 2, 28), date(2026, 5, 9)}
    assert not HOLIDAYS & (worked | {date(2026, 9, 20), date(2026, 10, 10)})
