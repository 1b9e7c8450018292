"""Prices as written in the configuration, as rules of the price book."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sidecar.config.schema import Config, PriceTier
from sidecar.core.money import Price, price_per_million
from sidecar.ledger.window import EVERY_DAY, Window, wall_ns_of
from sidecar.ledger.price_rule import PriceRule

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def rules(config: Config) -> tuple[PriceRule, ...]:
    """All rules; of a model's tiers the last that fits decides, so they are turned round."""
    return tuple(rule for _, _, rule in walk(config))


def walk(config: Config) -> Iterator[tuple[str, PriceTier, PriceRule]]:
    """Every tier with its path and its rule. Raises ValueError, path first, for a bad one."""
    for provider, raw in config.providers.items():
        for model, fields in raw.models.items():
            tiers = fields.price if isinstance(fields.price, tuple) else (fields.price,)
            for index, tier in reversed(list(enumerate(tiers))):
                if tier is not None:
                    path = f"providers.{provider}.models.{model}.price[{index}]"
                    yield path, tier, _rule(provider, model, tier, path)


def _rule(provider: str, model: str, tier: PriceTier, path: str) -> PriceRule:
    try:
        return PriceRule(
            provider=provider,
            model=model.lower(),
            price=_price(tier),
            tier=" ".join(part for part in (tier.days, " ".join(tier.hours)) if part),
            since_ns=_day(tier.since),
            until_ns=_day(tier.until),
            windows=_windows(tier),
            over_input_tokens=tier.above_input_tokens,
        )
    except (ValueError, InvalidOperation, ZoneInfoNotFoundError) as error:
        raise ValueError(f"{path}: {error}") from None


def _price(tier: PriceTier) -> Price:
    return Price(
        input=_money(tier.input),
        output=_money(tier.output),
        cached_input=None if tier.cached_input is None else _money(tier.cached_input),
        cache_write=None if tier.cache_write is None else _money(tier.cache_write),
        request=_money(tier.request),
    )


def _money(usd: str | float) -> int:
    value = Decimal(str(usd))
    if not value.is_finite() or value < 0:
        raise ValueError(f"expected US dollars, got {usd!r}")
    return price_per_million(value)


def _day(text: str) -> int | None:
    if not text:
        return None
    return wall_ns_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


def _windows(tier: PriceTier) -> tuple[Window, ...]:
    if not tier.hours and not tier.days:
        return ()
    zone, days = ZoneInfo(tier.zone), _weekdays(tier.days)
    spans = [_span(text) for text in tier.hours] or [(0, 86_400)]
    return tuple(Window(start, end, days, zone=zone) for start, end in spans)


def _weekdays(text: str) -> frozenset[int]:
    if not text:
        return EVERY_DAY
    found: set[int] = set()
    for piece in text.lower().replace(" ", "").split(","):
        first, dash, last = piece.partition("-")
        names = (first, last if dash else first)
        if any(name not in DAYS for name in names):
            raise ValueError(f"expected days such as mon-fri or sat,sun, got {text!r}")
        start, end = DAYS.index(names[0]), DAYS.index(names[1])
        found.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return frozenset(found)


def _span(text: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError(f"expected hours such as 01:00-04:00, got {text!r}")
    h1, m1, h2, m2 = (int(part) for part in match.groups())
    return h1 * 3600 + m1 * 60, h2 * 3600 + m2 * 60
