"""Money, in integer nano-dollars (1 USD = 10^9 nano-USD), so that sums are exact.

Prices are integers too: nano-USD per million tokens, which writes every published price exactly
(0.003625 USD per million tokens is 3_625_000).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from sidecar.core.usage import Usage

NANO_PER_USD = 1_000_000_000
TOKENS_PER_PRICE = 1_000_000


class Price(msgspec.Struct, frozen=True):
    """What a model charges, in nano-USD per million tokens.

    `cached_input` and `cache_write` are None where the provider has no own price for them: such
    tokens then cost `input`. `request` is a flat nano-USD amount per request.
    """

    input: int
    output: int
    cached_input: int | None = None
    cache_write: int | None = None
    request: int = 0


# Where nobody knows a price.
UNPRICED = Price(input=0, output=0)


class Cost(msgspec.Struct, frozen=True):
    """What was paid, in nano-USD. `unknown` marks a sum with parts that nobody had a price for."""

    input_nano_usd: int = 0
    reasoning_nano_usd: int = 0
    answer_nano_usd: int = 0
    unknown: bool = False

    @property
    def total_nano_usd(self) -> int:
        return self.input_nano_usd + self.reasoning_nano_usd + self.answer_nano_usd

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.input_nano_usd + other.input_nano_usd,
            self.reasoning_nano_usd + other.reasoning_nano_usd,
            self.answer_nano_usd + other.answer_nano_usd,
            self.unknown or other.unknown,
        )


FREE = Cost()
UNKNOWN = Cost(unknown=True)


def cost_of(usage: Usage, price: Price | None) -> Cost:
    """The cost of `usage`; each part is rounded half up on its own, then summed.

    Reasoning is billed at the output price everywhere (reference: wire formats, trap 31).
    """
    if price is None:
        return UNKNOWN
    cached = price.input if price.cached_input is None else price.cached_input
    written = price.input if price.cache_write is None else price.cache_write
    fresh = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    return Cost(
        input_nano_usd=price.request
        + _part(max(fresh, 0), price.input)
        + _part(usage.cached_input_tokens, cached)
        + _part(usage.cache_write_tokens, written),
        reasoning_nano_usd=_part(usage.reasoning_tokens, price.output),
        answer_nano_usd=_part(usage.answer_tokens, price.output),
    )


def answer_unit_nano_usd(cost: Cost, usage: Usage) -> int:
    """What a useful token really cost: total over answer tokens, rounded half up; 0 if none."""
    if usage.answer_tokens <= 0:
        return 0
    return (2 * cost.total_nano_usd + usage.answer_tokens) // (2 * usage.answer_tokens)


def price_per_million(usd: Decimal | str) -> int:
    """`usd` dollars per million tokens as the integer that `Price` holds."""
    return int((Decimal(usd) * NANO_PER_USD).to_integral_value())


def _part(tokens: int, price: int) -> int:
    return (2 * tokens * price + TOKENS_PER_PRICE) // (2 * TOKENS_PER_PRICE)
