"""How much of a late refund may be credited: exactly what the bucket has not refilled since.

If a bucket filled up again while a call ran, giving back the unused part of its reservation would
let that part pass twice. The exact rule is the reflection of a queue at zero: with a smaller
reservation in the first place, the backlog would have been smaller by `unused`, but never below
zero; so the credit is min(unused, least backlog since the reservation).

`Backlog` keeps, for every number of an earlier event, the least backlog seen after it: a stack
whose numbers and backlogs both grow. It is exact for as many outstanding reservations as one
likes, and errs towards too little credit only where entries had to be merged.
"""

from __future__ import annotations

KEEP = 24
"""Entries before the older ones are merged in pairs: 24 doublings cover any burst."""
RECENT = 8
"""The newest entries that are never merged."""


class Backlog:
    """Least backlog after event number `seq`, in microseconds. Numbers grow by one an event."""

    __slots__ = ("entries", "seq")

    def __init__(self) -> None:
        self.seq = 0
        self.entries: list[tuple[int, float]] = []

    def push(self, before_us: float) -> int:
        """An event found the backlog at `before_us` and adds to it; returns the event's number."""
        self.seq += 1
        entries = self.entries
        while entries and entries[-1][1] >= before_us:
            entries.pop()
        entries.append((self.seq, before_us))
        if len(entries) > KEEP:
            self._merge()
        return self.seq

    def credit(self, seq: int, unused_us: float) -> float:
        """The part of `unused_us`, reserved by event `seq`, that may still be given back.

        Later events are corrected as if the reservation had been smaller from the beginning.
        """
        at = self._after(seq)
        if at == len(self.entries):
            return unused_us
        least = self.entries[at][1]
        given = min(unused_us, least)
        first = (self.entries[at][0], max(least - unused_us, 0.0))
        rest = [(number, before - given) for number, before in self.entries[at + 1 :]]
        older = [entry for entry in self.entries[:at] if entry[1] < first[1]]
        self.entries = [*older, first, *rest]
        return given

    def scale(self, factor: float) -> None:
        """A unit has become `factor` times as long; what was used is the same number of units."""
        self.entries = [(number, before * factor) for number, before in self.entries]

    def _after(self, seq: int) -> int:
        for at, entry in enumerate(self.entries):
            if entry[0] > seq:
                return at
        return len(self.entries)

    def _merge(self) -> None:
        """Half the older entries: each pair becomes (later number, lesser backlog)."""
        older, recent = self.entries[:-RECENT], self.entries[-RECENT:]
        odd = older[len(older) // 2 * 2 :]
        pairs = zip(older[::2], older[1::2], strict=False)
        self.entries = [(later[0], earlier[1]) for earlier, later in pairs] + odd + recent
