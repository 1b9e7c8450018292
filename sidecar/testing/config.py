"""What a fake provider is told when it is made."""

from __future__ import annotations

import msgspec

from sidecar.core.money import Price
from sidecar.testing.asked import Plan
from sidecar.testing.quotas import Quota

# DeepSeek Flash, off-peak, November 2026 (reference "wire formats", section 2): 0.15 USD for a
# million tokens of input, 0.003 where cached, 0.60 of output.
DEFAULT_PRICE = Price(input=150_000_000, output=600_000_000, cached_input=3_000_000)


class Key(msgspec.Struct, frozen=True):
    """A key's name in log and bill, and the account that owns it."""

    alias: str
    account: str = "main"


class ProviderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of a fake provider.

    `keys` maps secrets to keys; empty accepts any secret and names it by its order ("key-1").
    `prices` maps models to prices, "*" is for all others. `aliases` maps names of models to
    behaviours ("deepseek-v4-pro": "fake-reasoner-60-60"). `base` is the plan under every name of
    a behaviour that says nothing else: its pace. `keep` attempts stay in the log, `keep_bodies`
    of them with the request's body.
    """

    keys: dict[str, Key] = {}
    quotas: tuple[Quota, ...] = ()
    prices: dict[str, Price] = msgspec.field(default_factory=lambda: {"*": DEFAULT_PRICE})
    aliases: dict[str, str] = {}
    pace_s: float = Plan().pace_s
    keep: int = 100_000
    keep_bodies: int = 1_000
