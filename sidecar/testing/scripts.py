"""Scripts: who decides, attempt by attempt, what goes wrong next."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from sidecar.testing.asked import Asked


class Script(Protocol):
    """Asked once for every attempt that got past keys and limits."""

    def next(self, asked: Asked, key: str) -> str | None:
        """Faults to add to the model's own ("cut-40", "http-503+octet"), or None for none."""


class Listed:
    """Faults in a fixed order; an empty string is a healthy attempt. Nothing once they are used."""

    def __init__(self, faults: Iterable[str]) -> None:
        self._left = deque(faults)

    def next(self, asked: Asked, key: str) -> str | None:
        return self._left.popleft() if self._left else None


class Seeded:
    """With probability `rate` one of `faults`, by a seed: the same order of attempts gets the
    same faults."""

    def __init__(self, seed: int, rate: float, faults: tuple[str, ...]) -> None:
        self._rng = random.Random(seed)
        self._rate = rate
        self._faults = faults

    def next(self, asked: Asked, key: str) -> str | None:
        if self._rng.random() >= self._rate:
            return None
        return self._rng.choice(self._faults)


class ByModel:
    """A script for each model that has one; "*" is for all others."""

    def __init__(self, scripts: dict[str, Script] | None = None) -> None:
        self.scripts: dict[str, Script] = dict(scripts or {})

    def next(self, asked: Asked, key: str) -> str | None:
        script = self.scripts.get(asked.model) or self.scripts.get("*")
        return script.next(asked, key) if script is not None else None
