"""One rule: which model, when, and what it costs then."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from sidecar.core.money import Price
from sidecar.ledger.window import Window


class PriceRule(msgspec.Struct, frozen=True):
    """A price with its conditions; all that are set must hold.

    `provider` is the configured name, `model` a name in lower case that may hold `*`. `tier` is
    what the ledger calls it. Times are wall nanoseconds, `since_ns` included, `until_ns` not.
    `windows`: inside any of them; none means always. `over_input_tokens`: for requests with more
    input than that. Of several rules the first that holds wins, so a more special one goes first.
    """

    provider: str
    model: str
    price: Price
    tier: str = ""
    since_ns: int | None = None
    until_ns: int | None = None
    windows: tuple[Window, ...] = ()
    over_input_tokens: int = 0

    def names(self, provider: str, model: str) -> bool:
        """Whether the rule is about this model (in lower case) of this provider."""
        return provider == self.provider and fnmatchcase(model, self.model)

    def in_force(self, wall_ns: int, input_tokens: int) -> bool:
        """Whether the rule holds for a request of that moment and size."""
        if self.since_ns is not None and wall_ns < self.since_ns:
            return False
        if self.until_ns is not None and wall_ns >= self.until_ns:
            return False
        if self.over_input_tokens and input_tokens <= self.over_input_tokens:
            return False
        return not self.windows or any(window.covers(wall_ns) for window in self.windows)
