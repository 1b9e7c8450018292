"""`python -m sidecar.ledger.extract FILE`: writes the library's prices as the table we read.

A program of its own, because importing the library takes 0.6 s and 40 MB (105 MB at its height),
which the daemon cannot afford (docs/decisions/0007-prices.md). Nothing else imports this file, and
this file alone imports the library.

The table is JSON lines: a head, then one provider a line. Prices are integers, nano-USD per
million tokens, in the order of `price_table.RATES`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import msgspec
from genai_prices import types
from genai_prices.data_snapshot import get_snapshot

from sidecar.core.money import NANO_PER_USD
from sidecar.ledger.price_table import (
    FORMAT,
    Bill,
    Head,
    Model,
    Provider,
    Rates,
    Tier,
)

# Our mark for each kind of clause, and the field that holds its text or its parts.
CLAUSES: dict[type[Any], tuple[str, str]] = {
    types.ClauseEquals: ("=", "equals"),
    types.ClauseStartsWith: ("^", "starts_with"),
    types.ClauseEndsWith: ("$", "ends_with"),
    types.ClauseContains: ("*", "contains"),
    types.ClauseRegex: ("~", "regex"),
    types.ClauseOr: ("|", "or_"),
    types.ClauseAnd: ("&", "and_"),
}
KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
PER_REQUEST = "requests_kcount"
# Output that is billed apart from `output_mtok`: core.money has no place for it, so such a model
# has no price rather than a wrong one.
APART = ("output_reasoning_mtok", "output_citation_mtok")
FREE = ":free"


def clause(found: Any) -> list[Any]:
    """A matching rule of the library, as nested lists."""
    mark, field = CLAUSES[type(found)]
    value = getattr(found, field)
    return [mark, value] if isinstance(value, str) else [mark, *map(clause, value)]


def rates(price: types.ModelPrice, input_tokens: int, free: bool) -> Rates | None:
    """What `price` asks of a request with so many input tokens; None if it is no token price."""
    values = [_at(getattr(price, key), input_tokens) for key in KEYS]
    if any(getattr(price, key) is not None for key in APART):
        return None
    if values[0] is None or values[1] is None:
        return (0, 0, None, None, 0) if free and not any(values) else None
    request = _at(getattr(price, PER_REQUEST), input_tokens) or 0
    return (values[0], values[1], values[2], values[3], request // 1000)


def tiers(price: types.ModelPrice, free: bool) -> list[Tier] | None:
    """The price above each number of input tokens, 0 first."""
    starts = {
        tier.start
        for key in KEYS
        if isinstance(value := getattr(price, key), types.TieredPrices)
        for tier in value.tiers
    }
    found = [(start, rates(price, start + 1, free)) for start in sorted({0, *starts})]
    known = [(start, rate) for start, rate in found if rate is not None]
    return known if len(known) == len(found) else None


def bills(model: types.ModelInfo) -> list[Bill]:
    """The model's prices with their conditions, in the library's order: the last active wins."""
    free = model.id.endswith(FREE)
    prices = model.prices
    if isinstance(prices, types.ModelPrice):
        return [Bill(tiers(prices, free))]
    return [_conditional(price, free) for price in prices]


def providers() -> Iterator[Provider]:
    """Every provider of the library, in its order."""
    for provider in get_snapshot().providers:
        yield Provider(
            id=provider.id,
            url=provider.api_pattern,
            name=clause(provider.provider_match) if provider.provider_match else None,
            fallback=provider.fallback_model_providers or [],
            models=[Model(clause(model.match), bills(model)) for model in provider.models],
        )


def table() -> bytes:
    """The whole table."""
    head = Head(FORMAT, genai_prices.__version__)
    lines = [msgspec.json.encode(line) for line in [head, *providers()]]
    return b"\n".join(lines) + b"\n"


def main(path: Path) -> None:
    """Write the table to `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(table())
    draft.replace(path)


def _at(value: Decimal | types.TieredPrices | None, input_tokens: int) -> int | None:
    if isinstance(value, types.TieredPrices):
        passed = [tier.price for tier in value.tiers if input_tokens > tier.start]
        value = passed[-1] if passed else value.base
    return None if value is None else int((value * NANO_PER_USD).to_integral_value())


def _conditional(price: types.ConditionalPrice, free: bool) -> Bill:
    found = tiers(price.prices, free)
    when = price.constraint
    if isinstance(when, types.StartDateConstraint):
        return Bill(found, since=when.start_date.isoformat())
    if isinstance(when, types.TimeOfDateConstraint):
        return Bill(found, hours=(_utc_second(when.start_time), _utc_second(when.end_time)))
    return Bill(found)


def _utc_second(moment: time) -> int:
    offset = moment.utcoffset()
    second = moment.hour * 3600 + moment.minute * 60 + moment.second
    return (second - (round(offset.total_seconds()) if offset else 0)) % 86_400


if __name__ == "__main__":
    main(Path(sys.argv[1]))
