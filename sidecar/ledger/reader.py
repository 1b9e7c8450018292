"""Asking a ledger file from outside the daemon, while it runs or after it died. Blocking."""

from __future__ import annotations

import contextlib
from pathlib import Path

from sidecar.ledger.entry import Entry
from sidecar.ledger.errors import LedgerUnavailable, Trouble
from sidecar.ledger.inbox import Position, read, segments
from sidecar.ledger.query import UsageQuery, UsageReport
from sidecar.ledger.sqlite import Store, told

# How often a reader starts again because a running daemon removed a segment under its eyes.
TRIES = 10


def read_usage(path: str, query: UsageQuery) -> UsageReport:
    """The sums over SQLite and the inbox, exact at the moment of asking; changes nothing.

    Raises LedgerUnavailable if the file is missing, corrupt or made by a newer version, and
    ValueError for a group that does not exist.
    """
    store = Store.open_to_read(path)
    with told(path), contextlib.closing(store):
        for _ in range(TRIES):
            report = _try(store, Path(path), query)
            if report is not None:
                return report
    raise LedgerUnavailable(Trouble.BUSY, path, "the inbox changed too fast to be read")


def _try(store: Store, ledger: Path, query: UsageQuery) -> UsageReport | None:
    with store.snapshot():
        waiting = _waiting(ledger, store.position())
        return None if waiting is None else store.usage(query, waiting)


def _waiting(ledger: Path, done: Position) -> list[Entry] | None:
    """The entries after `done`; None if the daemon took a segment away meanwhile."""
    there = [(number, path) for number, path in segments(ledger) if number >= done.segment]
    if there and there[0][0] != done.segment:
        return None
    try:
        return [
            framed.entry
            for number, path in there
            for framed in read(number, path)
            if framed.final and framed.end > done
        ]
    except FileNotFoundError:
        return None
