"""A ledger that only remembers, for judging: what was held, what was recorded."""

from __future__ import annotations

from sidecar.ledger.entry import Entry


class Books:
    """Entries in the order in which they were recorded."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.held: dict[tuple[str, int], Entry] = {}

    def hold(self, *entries: Entry) -> None:
        self.held.update((entry.key, entry) for entry in entries)

    def record(self, entry: Entry) -> None:
        self.held.pop(entry.key, None)
        self.entries.append(entry)
