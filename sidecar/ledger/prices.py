"""The price book: what a model costs at a moment. Pure; data come from outside.

Asked in this order, the first that knows wins: rules of the configuration, our own DeepSeek data
(the library cannot say weekdays, holidays, or a date and an hour together), the price library's
table. Nobody knows: the price is None and the cost unknown, never 0 (failure card, H42).

The tier is the one in force when the attempt starts. DeepSeek's page does not say whether start or
end counts; start is what can be known before the money is spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from sidecar.core.money import Price
from sidecar.ledger.deepseek import DEEPSEEK
from sidecar.ledger.price_rule import PriceRule
from sidecar.ledger.price_table import Found, PriceTable, bill_at, price_of, tier_at

# Model names come from callers: so many are remembered, then all are forgotten.
MOST_REMEMBERED = 2_048
CONFIGURED = "configured"


class Quote(msgspec.Struct, frozen=True):
    """A price and the name of the tier it is from; None and "" if nobody knows."""

    price: Price | None = None
    tier: str = ""


UNPRICED = Quote()


class _Known(msgspec.Struct, frozen=True):
    """All there is on one model of one provider."""

    configured: tuple[PriceRule, ...]
    ours: tuple[PriceRule, ...]
    library: Found | None


class PriceBook:
    """Answers `quote`. Immutable but for what it remembers."""

    def __init__(
        self,
        providers: Mapping[str, str],
        table: PriceTable | None,
        rules: Sequence[PriceRule] = (),
    ) -> None:
        """`providers`: configured name to base URL. `rules`: the configuration's, first wins."""
        self._table = table
        self._rules = tuple(rules)
        self._sources = {
            name: table.provider_of(name, url) if table is not None else name.lower()
            for name, url in providers.items()
        }
        self._known: dict[tuple[str, str], _Known] = {}

    def source(self, provider: str) -> str:
        """Whose public prices a configured provider has: a library id, "" if unknown."""
        return self._sources.get(provider, "")

    def quote(
        self, provider: str, model: str, wall_ns: int, input_tokens: int = 0, served: str = ""
    ) -> Quote:
        """The price of an attempt that starts at `wall_ns` and has so many input tokens.

        `served` is what the provider said it served; it is asked where `model` has no price (a
        deployment's own name, a router's).
        """
        found = self._quote(provider, model, wall_ns, input_tokens)
        if found.price is None and served and served != model:
            return self._quote(provider, served, wall_ns, input_tokens)
        return found

    def _quote(self, provider: str, model: str, wall_ns: int, input_tokens: int) -> Quote:
        known = self._known.get((provider, model)) or self._look_up(provider, model)
        for rule in known.configured:
            if rule.in_force(wall_ns, input_tokens):
                return Quote(rule.price, f"{CONFIGURED} {rule.tier}".rstrip())
        for rule in known.ours:
            if rule.in_force(wall_ns, input_tokens):
                return Quote(rule.price, f"{rule.provider} {rule.tier}")
        return self._from_library(known.library, wall_ns, input_tokens)

    def _look_up(self, provider: str, model: str) -> _Known:
        source, lower = self.source(provider), model.lower()
        known = _Known(
            tuple(rule for rule in self._rules if rule.names(provider, lower)),
            tuple(rule for rule in DEEPSEEK if rule.names(source, lower)),
            self._table.find(source, model) if self._table is not None and source else None,
        )
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[provider, model] = known
        return known

    def _from_library(self, found: Found | None, wall_ns: int, input_tokens: int) -> Quote:
        if found is None or self._table is None:
            return UNPRICED
        bill = bill_at(found.bills, wall_ns)
        if bill.tiers is None:
            return UNPRICED
        start, rates = tier_at(bill.tiers, input_tokens)
        over = f" over {start}" if start else ""
        hours = " by the hour" if bill.hours is not None else ""
        return Quote(
            price_of(rates), f"{found.provider}{over}{hours} (genai-prices {self._table.version})"
        )
