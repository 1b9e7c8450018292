"""What goes wrong with whole providers, and when: outages, slow days, keys that are revoked.

The faults of single attempts are the script's (`Seeded`); a spell covers all attempts of its time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec

from sidecar.core.clock import Clock
from sidecar.testing import Script
from sidecar.testing.asked import Asked

# What every attempt on the provider meets while the spell lasts. "revoked" is the key ring's to
# find out, "gone" refuses connections: these two are told to provider and transport themselves.
SKIES = {"outage": "http-503", "slow": "first-20", "drip": "ms-900", "gone": "", "revoked": ""}


class Spell(msgspec.Struct, frozen=True):
    """From `since_s` to `until_s`, seconds of the loop, `provider` is like `kind`; `key` is the one
    that is revoked."""

    kind: str
    provider: str
    since_s: float
    until_s: float
    key: str = ""

    def covers(self, provider: str, began_s: float, ended_s: float) -> bool:
        """Did it touch `provider` at any time between the two?"""
        return self.provider == provider and self.since_s < ended_s and self.until_s > began_s


class Skies:
    """A provider's script: the spell that is on, else what `inner` says."""

    def __init__(self, inner: Script, provider: str, spells: Iterable[Spell], clock: Clock) -> None:
        self._inner = inner
        self._spells = [spell for spell in spells if spell.provider == provider]
        self._clock = clock

    def next(self, asked: Asked, key: str) -> str | None:
        inner = self._inner.next(asked, key)
        now = self._clock.now()
        on = (SKIES[s.kind] for s in self._spells if s.since_s <= now < s.until_s)
        return next((fault for fault in on if fault), inner)


def forecast(rng: random.Random, keys: dict[str, list[str]], length_s: float) -> list[Spell]:
    """None to three spells, each of a tenth to a half of the time."""
    spells = []
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        provider, kind = rng.choice(sorted(keys)), rng.choice(sorted(SKIES))
        since_s = rng.uniform(0.0, length_s)
        until_s = since_s + rng.uniform(0.1, 0.5) * length_s
        key = rng.choice(keys[provider]) if kind == "revoked" else ""
        spells.append(Spell(kind, provider, since_s, until_s, key))
    return spells
