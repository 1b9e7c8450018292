"""DeepSeek's own prices, by the hour and by the date: its price page, as of November 2026.

Figures: the reference on wire formats, section 2, which follows DeepSeek's page. Dates beyond it:
weekends became off-peak on 2026-08-23, 00:00 in Beijing (the announcement on that page); the price
of V4.1 Flash is in force since 2026-09-10, 04:00 UTC (the release note). All prices are in USD per
million tokens: cached input, input, output.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from sidecar.core.money import Price, price_per_million
from sidecar.ledger.price_rule import PriceRule
from sidecar.ledger.window import EVERY_DAY, WORKDAYS, Window, days, wall_ns_of

PROVIDER = "deepseek"
HOUR_S = 3600

V3_2 = wall_ns_of(datetime(2025, 9, 29, tzinfo=UTC))
V4 = wall_ns_of(datetime(2026, 4, 24, tzinfo=UTC))
TWO_TIERS = wall_ns_of(datetime(2026, 8, 16, 16, tzinfo=UTC))
QUIET_WEEKENDS = wall_ns_of(datetime(2026, 8, 22, 16, tzinfo=UTC))
V4_1_FLASH = wall_ns_of(datetime(2026, 9, 10, 4, tzinfo=UTC))

# Days off in China, on which all hours are off-peak; days that are worked instead all fall on
# weekends, which are off-peak too. 2026: notice of the State Council's General Office of
# 2025-11-04 (Guo Ban Fa Ming Dian [2025] No. 7).
# 2027: its notice was not out when this was written. These are the days that are holidays by the
# regulation itself (State Council decree 795, in force since 2025); the notice will add some by
# exchange. Until this list has them, a rule of the configuration can say them.
HOLIDAYS = frozenset().union(
    days(date(2026, 1, 1), date(2026, 1, 3)),  # New Year
    days(date(2026, 2, 15), date(2026, 2, 23)),  # Spring Festival
    days(date(2026, 4, 4), date(2026, 4, 6)),  # Qingming
    days(date(2026, 5, 1), date(2026, 5, 5)),  # Labour Day
    days(date(2026, 6, 19), date(2026, 6, 21)),  # Dragon Boat
    days(date(2026, 9, 25), date(2026, 9, 27)),  # Mid-Autumn
    days(date(2026, 10, 1), date(2026, 10, 7)),  # National Day
    days(date(2027, 1, 1), date(2027, 1, 1)),  # New Year
    days(date(2027, 2, 5), date(2027, 2, 8)),  # Spring Festival: its eve and three days
    days(date(2027, 4, 5), date(2027, 4, 5)),  # Qingming
    days(date(2027, 5, 1), date(2027, 5, 2)),  # Labour Day
    days(date(2027, 6, 9), date(2027, 6, 9)),  # Dragon Boat
    days(date(2027, 9, 15), date(2027, 9, 15)),  # Mid-Autumn
    days(date(2027, 10, 1), date(2027, 10, 3)),  # National Day
)


def _peak(weekdays: frozenset[int]) -> tuple[Window, ...]:
    """01:00-04:00 and 06:00-10:00 UTC, which is 9-12 and 14-18 of the same day in Beijing."""
    return tuple(
        Window(start * HOUR_S, end * HOUR_S, weekdays, HOLIDAYS) for start, end in ((1, 4), (6, 10))
    )


PEAK_AT_FIRST = _peak(EVERY_DAY)
PEAK = _peak(WORKDAYS)


def _price(cached: str, inp: str, out: str) -> Price:
    return Price(
        input=price_per_million(inp),
        output=price_per_million(out),
        cached_input=price_per_million(cached),
    )


V3_2_PRICE = _price("0.028", "0.28", "0.42")
FLASH_FLAT = _price("0.0028", "0.14", "0.28")
FLASH_PEAK_AT_FIRST = _price("0.014", "0.44", "1.32")
FLASH_OFF_PEAK_AT_FIRST = _price("0.007", "0.22", "0.66")
FLASH_PEAK = _price("0.006", "0.30", "1.20")
FLASH_OFF_PEAK = _price("0.003", "0.15", "0.60")
PRO_FLAT = _price("0.003625", "0.435", "0.87")
PRO_PEAK = _price("0.044", "1.32", "3.96")
PRO_OFF_PEAK = _price("0.022", "0.66", "1.98")

# What flash is called. The two old names are retired; by them flash was served since V4.
FLASH = ("deepseek-flash", "deepseek-v4-flash*", "deepseek-v4.1-flash*")
OLD_NAMES = ("deepseek-chat", "deepseek-reasoner")
PRO = ("deepseek-v4-pro*",)


def _two_tiers(
    model: str, peak: Price, off_peak: Price, since: int, until: int | None = None
) -> Iterator[PriceRule]:
    """The rules of one price from `since` to `until`: peak windows first, else off-peak."""
    yield PriceRule(PROVIDER, model, peak, "peak", since, QUIET_WEEKENDS, PEAK_AT_FIRST)
    yield PriceRule(PROVIDER, model, peak, "peak", max(since, QUIET_WEEKENDS), until, PEAK)
    yield PriceRule(PROVIDER, model, off_peak, "off-peak", since, until)


def _flash(model: str) -> Iterator[PriceRule]:
    yield from _two_tiers(model, FLASH_PEAK, FLASH_OFF_PEAK, V4_1_FLASH)
    yield from _two_tiers(
        model, FLASH_PEAK_AT_FIRST, FLASH_OFF_PEAK_AT_FIRST, TWO_TIERS, V4_1_FLASH
    )
    yield PriceRule(PROVIDER, model, FLASH_FLAT, "flat", V4, TWO_TIERS)


def _pro(model: str) -> Iterator[PriceRule]:
    yield from _two_tiers(model, PRO_PEAK, PRO_OFF_PEAK, TWO_TIERS)
    yield PriceRule(PROVIDER, model, PRO_FLAT, "flat", V4, TWO_TIERS)


def _all() -> Iterator[PriceRule]:
    for model in (*FLASH, *OLD_NAMES):
        yield from _flash(model)
    for model in OLD_NAMES:
        yield PriceRule(PROVIDER, model, V3_2_PRICE, "flat", V3_2, V4)
    for model in PRO:
        yield from _pro(model)


DEEPSEEK = tuple(_all())
