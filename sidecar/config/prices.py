"""Prices as written in the configuration, as rules of the price book."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from sidecar.config.load import Problem
from sidecar.config.schema import Config, PriceTier
from sidecar.core.money import Price, price_per_million
from sidecar.ledger.price_rule import PriceRule
from sidecar.ledger.window import DAY_S, EVERY_DAY, Window, wall_ns_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def rules(config: Config) -> tuple[PriceRule, ...]:
    """All rules; of a model's tiers the last that fits decides, so they are turned round.

    Raises ValueError for a tier that `problems` would name.
    """
    return tuple(_rule(tier) for tier in _tiers(config))


def problems(config: Config) -> Iterator[Problem]:
    """What is wrong with the prices, each with its path."""
    for tier in _tiers(config):
        try:
            _rule(tier)
        except (ValueError, InvalidOperation, ZoneInfoNotFoundError) as error:
            yield Problem(tier.path, _plainly(error))


class _Tier(msgspec.Struct, frozen=True):
    """A tier as written, whose it is, and where it stands."""

    provider: str
    model: str
    raw: PriceTier
    path: str


def _tiers(config: Config) -> Iterator[_Tier]:
    for provider, raw in config.providers.items():
        for model, fields in raw.models.items():
            path = f"providers.{provider}.models.{model}.price"
            if isinstance(fields.price, PriceTier):
                yield _Tier(provider, model, fields.price, path)
                continue
            for index, tier in reversed(list(enumerate(fields.price or ()))):
                yield _Tier(provider, model, tier, f"{path}[{index}]")


def _rule(tier: _Tier) -> PriceRule:
    raw = tier.raw
    since_ns, until_ns = _day("since", raw.since), _day("until", raw.until)
    if since_ns is not None and until_ns is not None and until_ns <= since_ns:
        raise ValueError("until must be after since")
    if raw.above_input_tokens < 0:
        raise ValueError("above_input_tokens must not be negative")
    return PriceRule(
        provider=tier.provider,
        model=tier.model.lower(),
        price=_price(raw),
        tier=" ".join(part for part in (raw.days, " ".join(raw.hours)) if part),
        since_ns=since_ns,
        until_ns=until_ns,
        windows=_windows(raw),
        over_input_tokens=raw.above_input_tokens,
    )


def _plainly(error: Exception) -> str:
    if isinstance(error, ZoneInfoNotFoundError):
        return "zone: expected the name of a time zone such as Asia/Shanghai"
    return str(error)


def _price(tier: PriceTier) -> Price:
    return Price(
        input=_money("input", tier.input),
        output=_money("output", tier.output),
        cached_input=None
        if tier.cached_input is None
        else _money("cached_input", tier.cached_input),
        cache_write=None if tier.cache_write is None else _money("cache_write", tier.cache_write),
        request=_money("request", tier.request),
    )


def _money(field: str, usd: str | float) -> int:
    try:
        value = Decimal(str(usd))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise ValueError(f"{field}: expected US dollars for a million tokens, got {usd!r}")
    return price_per_million(value)


def _day(field: str, text: str) -> int | None:
    if not text:
        return None
    try:
        return wall_ns_of(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError:
        raise ValueError(f"{field}: expected a date such as 2026-11-01, got {text!r}") from None


def _windows(tier: PriceTier) -> tuple[Window, ...]:
    if not tier.hours and not tier.days:
        return ()
    zone, days = ZoneInfo(tier.zone), _weekdays(tier.days)
    spans = [_span(text) for text in tier.hours] or [(0, DAY_S)]
    return tuple(Window(start, end, days, zone=zone) for start, end in spans)


def _weekdays(text: str) -> frozenset[int]:
    if not text:
        return EVERY_DAY
    found: set[int] = set()
    for piece in text.lower().replace(" ", "").split(","):
        first, dash, last = piece.partition("-")
        names = (first, last if dash else first)
        if any(name not in DAYS for name in names):
            raise ValueError(f"days: expected such as mon-fri or sat,sun, got {text!r}")
        start, end = DAYS.index(names[0]), DAYS.index(names[1])
        found.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
    return frozenset(found)


def _span(text: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise ValueError(f"hours: expected such as 01:00-04:00, got {text!r}")
    h1, m1, h2, m2 = (int(part) for part in match.groups())
    start_s, end_s = h1 * 3600 + m1 * 60, h2 * 3600 + m2 * 60
    if max(m1, m2) > 59 or start_s >= DAY_S or end_s > DAY_S or start_s == end_s:
        raise ValueError(f"hours: expected two times of a day such as 01:00-04:00, got {text!r}")
    return start_s, end_s
