"""The ledger as the daemon uses it: recording never waits, everything else happens on a thread."""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from sidecar.core.clock import Clock
from sidecar.ledger.entry import Entry, sane
from sidecar.ledger.inbox import SEGMENT_BYTES, START, Inbox, Position, UnreadableInbox, frame
from sidecar.ledger.query import UsageQuery, UsageReport
from sidecar.ledger.writer import Stranded, Writer, open_writer

T = TypeVar("T")
log = logging.getLogger(__name__)

# Entries wait this long in the inbox for company; a batch is one commit. After trouble, longer.
FLUSH_S = 0.1
RETRY_S = 1.0
# Entries kept in memory when the disk takes nothing; about 1 KB each.
MOST_STRANDED = 5_000
PRUNE_EVERY_S = 3_600.0
PRUNE_BATCH = 1_000
DAY_S = 86_400.0
# A ledger in memory commits when so many entries have come together, and keeps the last so many:
# 260 bytes each.
MEMORY_BATCH = 1_000
MOST_IN_MEMORY = 50_000
INBOX = "inbox"
STORE = "store"


class LedgerState(msgspec.Struct, frozen=True):
    """How the ledger is. `error` "" means well.

    `held` attempts are running. `stranded` entries are in memory alone, because the disk took
    nothing; `dropped` ones are gone, because there were too many of them. `written` entries of this
    run are where they stay, `pending` ones on their way there; `retry_at` is when the next batch
    goes there, in loop seconds, infinity if none is due.
    """

    path: str
    held: int
    stranded: int
    dropped: int
    error: str
    written: int = 0
    pending: int = 0
    retry_at: float = math.inf


class Ledger:
    """Every attempt's entry. Made by `open`; all methods belong to the loop's thread."""

    def __init__(
        self,
        path: str,
        writer: Writer,
        inbox: Inbox | None,
        clock: Clock,
        *,
        retention_s: float | None,
        most_stranded: int,
        most_in_memory: int,
    ) -> None:
        self._path = path
        self._writer = writer
        self._inbox = inbox
        self._clock = clock
        self._retention_s = retention_s
        self._most_stranded = most_stranded
        self._most_in_memory = most_in_memory
        self._held: dict[tuple[str, int], bytes] = {}
        self._stranded: deque[Stranded] = deque()
        self._number = 0
        self._dropped = 0
        self._recorded = 0
        self._written = 0
        self._troubles: dict[str, str] = {}
        self._thread = ThreadPoolExecutor(1, "ledger") if inbox is not None else None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    def open(
        cls,
        path: str,
        clock: Clock,
        *,
        retention_s: float | None = 90 * DAY_S,
        segment_bytes: int = SEGMENT_BYTES,
        most_stranded: int = MOST_STRANDED,
        most_in_memory: int = MOST_IN_MEMORY,
    ) -> Ledger:
        """Open the file, or ":memory:" for none. Blocks: call it before serving.

        Entries that the last run left in the inbox are taken over; attempts that it did not live
        to settle are entered as estimated. `retention_s` None keeps entries for ever; in memory
        only the last `most_in_memory` are kept. Raises LedgerUnavailable, which says what to do.
        """
        writer, inbox = open_writer(path, segment_bytes=segment_bytes)
        return cls(
            path,
            writer,
            inbox,
            clock,
            retention_s=retention_s,
            most_stranded=most_stranded,
            most_in_memory=most_in_memory,
        )

    @property
    def state(self) -> LedgerState:
        return LedgerState(
            path=self._path,
            held=len(self._held),
            stranded=0 if self._inbox is None else len(self._stranded),
            dropped=self._dropped,
            error="; ".join(self._troubles.values()),
            written=self._written,
            pending=self._recorded - self._dropped - self._written,
            retry_at=self._timers["flush"].when() if "flush" in self._timers else math.inf,
        )

    def hold(self, *entries: Entry) -> None:
        """Say what attempts' entries are if the daemon dies now, with estimates: one write for all.

        May be said again as an attempt goes on; `record` ends it. Never waits.
        """
        if self._inbox is None or not entries:
            return
        frames = [frame(entry, final=False) for entry in entries]
        self._held.update(zip((entry.key for entry in entries), frames, strict=True))
        self._append(self._inbox, b"".join(frames))

    def record(self, entry: Entry) -> None:
        """Keep the entry of an attempt that ended. Never waits, never raises for the disk.

        When it returns, no death of the process loses the entry, unless `state.stranded` says
        that the disk takes nothing.
        """
        self._recorded += 1
        if self._inbox is None:
            self._keep_in_memory(entry)
            self._written = self._recorded
            return
        self._held.pop(entry.key, None)
        if not self._append(self._inbox, frame(entry, final=True)):
            self._strand(entry)
        self._arm("flush", FLUSH_S, self.flush)

    async def flush(self) -> None:
        """Bring everything recorded so far into SQLite. Trouble shows in `state`, and is retried.

        Waiting for it may be given up at any time: nothing is lost or counted twice.
        """
        end, stranded = self._cut(), tuple(self._stranded)
        through = self._recorded - self._dropped
        try:
            await self._on_thread(lambda: self._writer.take_over(end, stranded))
        except (sqlite3.Error, OSError, UnreadableInbox) as error:
            self._note(STORE, f"entries wait outside SQLite: {error}")
            self._arm("flush", RETRY_S, self.flush)
            return
        self._clear(STORE)
        self._written = max(self._written, through)
        while self._stranded and self._stranded[0][0] <= self._writer.taken:
            self._stranded.popleft()

    async def usage(self, query: UsageQuery) -> UsageReport:
        """Sums over everything recorded so far. Raises ValueError for an unknown group."""
        await self.flush()
        stranded = tuple(self._stranded)
        return await self._on_thread(lambda: self._writer.usage(query, stranded))

    async def prune(self) -> int:
        """Delete what is older than the retention, in small steps; how many entries went."""
        if self._retention_s is None:
            return 0
        before_ns = self._clock.wall_ns() - round(self._retention_s * 1e9)
        gone = PRUNE_BATCH
        total = 0
        while gone == PRUNE_BATCH:
            gone = await self._on_thread(lambda: self._writer.prune(before_ns, PRUNE_BATCH))
            total += gone
        return total

    def start_pruning(self) -> None:
        """Prune now and then once an hour, in the running loop, until closed."""
        self._arm("prune", 0.0, self._prune_for_ever)

    async def aclose(self) -> None:
        """Flush and close. Attempts that are still held stay in the inbox for the next start."""
        if self._closed:
            return
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.flush()
        if self._stranded:
            log.error("ledger %s: %d entries were never written", self._path, len(self._stranded))
        clean = not self._held and not self._troubles
        await self._on_thread(lambda: self._writer.close(clean))
        if self._thread is not None:
            self._thread.shutdown(wait=False)

    def _append(self, inbox: Inbox, data: bytes) -> bool:
        try:
            inbox.append(data)
        except OSError as error:
            self._note(INBOX, f"the disk takes no entries: {error}")
            return False
        self._clear(INBOX)
        return True

    def _strand(self, entry: Entry) -> None:
        if len(self._stranded) >= self._most_stranded:
            self._dropped += 1
            return
        self._number += 1
        self._stranded.append((self._number, sane(entry)))

    def _keep_in_memory(self, entry: Entry) -> None:
        self._number += 1
        self._stranded.append((self._number, sane(entry)))
        if len(self._stranded) >= MEMORY_BATCH:
            self._writer.take_over(START, self._stranded)
            self._writer.keep_last(self._most_in_memory)
            self._stranded.clear()

    def _cut(self) -> Position:
        """The end of what a flush will take; begins a new segment if this one is full."""
        if self._inbox is None:
            return START
        if self._inbox.full:
            try:
                self._inbox.rotate(b"".join(self._held.values()))
            except OSError as error:
                self._note(INBOX, f"no new inbox segment: {error}")
        return self._inbox.position

    async def _prune_for_ever(self) -> None:
        try:
            await self.prune()
        except sqlite3.Error as error:
            log.warning("the ledger cannot delete old entries: %s", error)
        self._arm("prune", PRUNE_EVERY_S, self._prune_for_ever)

    def _arm(
        self, what: str, delay_s: float, work: Callable[[], Coroutine[None, None, None]]
    ) -> None:
        """Do `work` in the background after `delay_s`, unless it is already going to be done."""
        if what not in self._timers and not self._closed:
            loop = asyncio.get_running_loop()
            self._timers[what] = loop.call_later(delay_s, self._begin, what, work)

    def _begin(self, what: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        del self._timers[what]
        task = asyncio.get_running_loop().create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _note(self, where: str, trouble: str) -> None:
        if where not in self._troubles:
            log.error("ledger %s: %s", self._path, trouble)
        self._troubles[where] = trouble

    def _clear(self, where: str) -> None:
        if where in self._troubles:
            del self._troubles[where]
            log.warning("ledger %s: %s works again", self._path, where)
