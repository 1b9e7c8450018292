"""The writing side, on the ledger's own thread: from the inbox into SQLite. Blocking.

Everything here runs on one thread at a time; what has been taken over is known here and in the
file alone, so that a caller who stops waiting cannot make an entry count twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from sidecar.ledger.entry import Entry, lost
from sidecar.ledger.errors import LedgerUnavailable, Trouble
from sidecar.ledger.inbox import Inbox, Position, read, segments
from sidecar.ledger.query import UsageQuery, UsageReport
from sidecar.ledger.sqlite import MEMORY, Store, told

# An entry that the inbox could not take, numbered in the order of arrival.
Stranded = tuple[int, Entry]


class Writer:
    """SQLite, and how far the inbox and the stranded entries have been taken over."""

    def __init__(self, store: Store, inbox: Inbox | None, lock: int = -1) -> None:
        self._store = store
        self._inbox = inbox
        self._lock = lock
        self._position = store.position()
        self._taken = 0

    @property
    def taken(self) -> int:
        """The number of the last stranded entry that is in SQLite."""
        return self._taken

    def take_over(self, end: Position, stranded: Sequence[Stranded]) -> None:
        """Move what is before `end` and all of `stranded` into SQLite, in one transaction."""
        fresh = self._fresh(stranded)
        if end == self._position and not fresh:
            return
        self._store.commit(itertools.chain(self._finals(end), fresh), end)
        self._position = end
        self._taken = max(self._taken, *(number for number, _ in stranded), 0)
        if self._inbox is not None:
            self._inbox.discard_before(end.segment)

    def usage(self, query: UsageQuery, stranded: Sequence[Stranded]) -> UsageReport:
        """The answer, over stranded entries too."""
        return self._store.usage(query, self._fresh(stranded))

    def prune(self, before_ns: int, most: int) -> int:
        return self._store.prune(before_ns, most)

    def keep_last(self, count: int) -> None:
        self._store.keep_last(count)

    def close(self, clean: bool) -> None:
        """Close the file; `clean` says that the inbox holds nothing that is still needed."""
        if self._inbox is not None:
            self._inbox.close()
            if clean:
                self._inbox.discard_before(self._inbox.position.segment + 1)
        self._store.close()
        if self._lock >= 0:
            os.close(self._lock)

    def _fresh(self, stranded: Sequence[Stranded]) -> list[Entry]:
        return [entry for number, entry in stranded if number > self._taken]

    def _finals(self, end: Position) -> Iterator[Entry]:
        if self._inbox is None:
            return
        for framed in self._inbox.read_from(self._position, end):
            if framed.final:
                yield framed.entry


def open_writer(path: str, *, segment_bytes: int) -> tuple[Writer, Inbox | None]:
    """Open the ledger and recover what the last run left. Raises LedgerUnavailable."""
    if path == MEMORY:
        return Writer(Store.open(path), None), None
    with told(path), contextlib.ExitStack() as undo:
        # The lock comes first: nothing of a running daemon's is touched.
        lock = _lock(Path(path))
        undo.callback(os.close, lock)
        store = Store.open(path)
        undo.callback(store.close)
        inbox = _recover(Path(path), store, segment_bytes)
        undo.pop_all()
    return Writer(store, inbox, lock), inbox


def _recover(ledger: Path, store: Store, segment_bytes: int) -> Inbox:
    """Take over the inbox of the last run; attempts that never ended are entered as lost."""
    old = segments(ledger)
    done = store.position()
    number = max([done.segment, *(number for number, _ in old)]) + 1
    inbox = Inbox(ledger, number, segment_bytes=segment_bytes)
    store.commit(_replay(old, done), inbox.position)
    inbox.discard_before(number)
    return inbox


def _replay(old: Sequence[tuple[int, Path]], done: Position) -> Iterator[Entry]:
    held: dict[tuple[str, int], Entry] = {}
    for number, path in old:
        for framed in read(number, path):
            if framed.final:
                held.pop(framed.entry.key, None)
            else:
                held[framed.entry.key] = framed.entry
            if framed.final and framed.end > done:
                yield framed.entry
    yield from map(lost, held.values())


def _lock(ledger: Path) -> int:
    """A lock that the system takes back when the process dies, however it dies."""
    ledger.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
    fd = os.open(ledger.with_name(f"{ledger.name}.lock"), flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        detail = "another daemon writes to it"
        raise LedgerUnavailable(Trouble.IN_USE, str(ledger), detail) from None
    return fd
