"""A sorted list that knows how much stands before a key. Pure.

Short blocks instead of one long list: adding, removing and asking touch one block and the list of
blocks, which for the tens of thousands a queue may hold is a few microseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Generic, TypeVar

V = TypeVar("V")
Key = tuple[float, int]

SPLIT = 128
"""Entries in a block before it is halved."""


class _Block(Generic[V]):
    __slots__ = ("keys", "values", "work", "works")

    def __init__(self, keys: list[Key], values: list[V], works: list[float]) -> None:
        self.keys = keys
        self.values = values
        self.works = works
        self.work = sum(works)


class Blocks(Generic[V]):
    """Entries by unique key, each with an amount of work."""

    __slots__ = ("_blocks", "_lasts", "count", "work")

    def __init__(self) -> None:
        self._blocks: list[_Block[V]] = []
        self._lasts: list[Key] = []
        self.count = 0
        self.work = 0.0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[V]:
        for block in self._blocks:
            yield from block.values

    def first(self) -> V | None:
        return self._blocks[0].values[0] if self._blocks else None

    def add(self, key: Key, work: float, value: V) -> None:
        self.count += 1
        self.work += work
        if not self._blocks:
            self._blocks.append(_Block([], [], []))
            self._lasts.append(key)
        at = min(bisect_left(self._lasts, key), len(self._blocks) - 1)
        block = self._blocks[at]
        within = bisect_left(block.keys, key)
        block.keys.insert(within, key)
        block.values.insert(within, value)
        block.works.insert(within, work)
        block.work += work
        self._lasts[at] = block.keys[-1]
        if len(block.keys) > SPLIT:
            self._halve(at)

    def remove(self, key: Key) -> bool:
        """True if it was there."""
        at = bisect_left(self._lasts, key)
        if at == len(self._blocks):
            return False
        block = self._blocks[at]
        within = bisect_left(block.keys, key)
        if block.keys[within] != key:
            return False
        self.count -= 1
        self.work -= block.works[within]
        block.work -= block.works[within]
        del block.keys[within], block.values[within], block.works[within]
        if block.keys:
            self._lasts[at] = block.keys[-1]
        else:
            del self._blocks[at], self._lasts[at]
        if not self._blocks:
            self.work = 0.0
        return True

    def before(self, key: Key) -> tuple[int, float]:
        """How many entries stand before `key`, and their work."""
        at = bisect_left(self._lasts, key)
        count = sum(len(block.keys) for block in self._blocks[:at])
        work = sum(block.work for block in self._blocks[:at])
        if at < len(self._blocks):
            within = bisect_left(self._blocks[at].keys, key)
            count += within
            work += sum(self._blocks[at].works[:within])
        return count, work

    def _halve(self, at: int) -> None:
        block, half = self._blocks[at], len(self._blocks[at].keys) // 2
        left = _Block(block.keys[:half], block.values[:half], block.works[:half])
        right = _Block(block.keys[half:], block.values[half:], block.works[half:])
        self._blocks[at : at + 1] = [left, right]
        self._lasts[at : at + 1] = [left.keys[-1], right.keys[-1]]
