"""What is in the air, by target and by key, for people who ask."""

from __future__ import annotations

from collections import Counter

import msgspec

from sidecar.gateway.watchdog import Waits, Watchdog


class KeyUse(msgspec.Struct):
    """Of one key: attempts in flight, wall time of the last one (0: never), its last failure."""

    in_flight: int = 0
    last_used_ns: int = 0
    last_failure: str = ""


class Traffic:
    """Counts attempts from lease to settlement."""

    def __init__(self) -> None:
        self.targets: Counter[str] = Counter()
        self._keys: dict[tuple[str, str], KeyUse] = {}
        self._watched: dict[str, set[Watchdog]] = {}

    def key(self, provider: str, alias: str) -> KeyUse:
        """The use of a key; an empty one if it was never used."""
        return self._keys.get((provider, alias)) or KeyUse()

    def waits(self, target: str) -> list[Waits]:
        """What the attempts wait for that are in the air on a target."""
        return [watchdog.waits for watchdog in self._watched.get(target, ())]

    def asks(self, target: str, watchdog: Watchdog) -> None:
        """An attempt is about to ask its provider; `watchdog` holds its clocks."""
        self._watched.setdefault(target, set()).add(watchdog)

    def heard(self, target: str, watchdog: Watchdog) -> None:
        """It waits for nothing more."""
        watched = self._watched[target]
        watched.discard(watchdog)
        if not watched:
            del self._watched[target]

    def began(self, target: str, provider: str, alias: str, wall_ns: int) -> None:
        self.targets[target] += 1
        use = self._keys.setdefault((provider, alias), KeyUse())
        use.in_flight += 1
        use.last_used_ns = wall_ns

    def ended(self, target: str, provider: str, alias: str, failure: str) -> None:
        """`failure` is the cause, "" where there was none."""
        self.targets[target] -= 1
        use = self._keys[(provider, alias)]
        use.in_flight -= 1
        if failure:
            use.last_failure = failure
