"""`python -m tests.ledger.measure [FOLDER]`: three ways to record, at 1,000 entries a second.

The figures of docs/decisions/0006-ledger.md. "Durable" is the time until a kill cannot lose the
entry; "late" is how late a 1 ms timer of the same loop was, at the worst.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

import uvloop

from sidecar.core.clock import LoopClock, system_now
from sidecar.ledger.entry import Entry
from sidecar.ledger.ledger import Ledger
from sidecar.ledger.schema import INSERT, line, migrate
from tests.ledger.making import entry

RATE = 1_000
SECONDS = 10


class Way(Protocol):
    """One way to record."""

    def record(self, one: Entry) -> Awaitable[None] | None:
        """Record; what is returned is awaited until the entry is durable."""

    async def aclose(self) -> None: ...


class Nothing:
    """The cost of the measurement itself."""

    def record(self, one: Entry) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Inline:
    """INSERT and commit in the loop."""

    def __init__(self, path: str) -> None:
        self._connection = connected(path)

    def record(self, one: Entry) -> None:
        self._connection.execute(f"INSERT INTO entries {INSERT}", line(one))

    async def aclose(self) -> None:
        self._connection.close()


class Handed:
    """Handed to a thread that commits what has come together, and says so."""

    def __init__(self, path: str) -> None:
        self._connection = connected(path)
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def record(self, one: Entry) -> Awaitable[None]:
        done = self._loop.create_future()
        self._waiting.append((one, done))
        self._wake.set()
        return done

    async def aclose(self) -> None:
        self._stop = True
        self._wake.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._stop:
            self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            self._connection.execute("BEGIN")
            with self._connection:
                lines = [line(one) for one, _ in batch]
                self._connection.executemany(f"INSERT INTO entries {INSERT}", lines)
            self._loop.call_soon_threadsafe(self._tell, [done for _, done in batch])

    def _tell(self, all_done: list[asyncio.Future[None]]) -> None:
        for done in all_done:
            done.set_result(None)


class Real:
    """The ledger: the inbox, and SQLite behind it. With `hold`, as the gateway uses it."""

    def __init__(self, path: str, hold: bool) -> None:
        self._ledger = Ledger.open(path, LoopClock(asyncio.get_running_loop()))
        self._hold = hold

    def record(self, one: Entry) -> None:
        if self._hold:
            self._ledger.hold(one)
        self._ledger.record(one)

    async def aclose(self) -> None:
        await self._ledger.aclose()


def connected(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    migrate(connection)
    return connection


async def timed(way: Way, number: int, times: list[tuple[float, float]]) -> None:
    one = entry(number)
    begin = system_now()
    waiting = way.record(one)
    returned = system_now()
    if waiting is not None:
        await waiting
    times.append((returned - begin, system_now() - begin))


async def measured(name: str, way: Way) -> str:
    times: list[tuple[float, float]] = []
    late: list[float] = []
    tasks: set[asyncio.Task[None]] = set()
    begin, cpu = system_now(), cpu_s()
    number = 0
    while (now := system_now()) - begin < SECONDS:
        while number < (now - begin) * RATE:
            task = asyncio.ensure_future(timed(way, number, times))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.sleep(0.001)
        late.append(system_now() - now - 0.001)
    await asyncio.gather(*tasks)
    await way.aclose()
    share = (cpu_s() - cpu) / SECONDS
    returned, durable = (sorted(column) for column in zip(*times, strict=True))
    return (
        f"{name:16} returns {us(returned)}  durable {us(durable)}  "
        f"late {max(late) * 1e3:4.1f} ms  CPU {share:5.1%}"
    )


def us(ordered: list[float]) -> str:
    p50, p99 = (ordered[int(len(ordered) * share)] * 1e6 for share in (0.5, 0.99))
    return f"p50 {p50:4.0f} p99 {p99:5.0f} max {ordered[-1] * 1e6:6.0f} us"


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main(folder: Path) -> None:
    print(await measured("nothing", Nothing()))
    print(await measured("SQLite inline", Inline(str(folder / "inline.db"))))
    print(await measured("SQLite thread", Handed(str(folder / "thread.db"))))
    print(await measured("inbox", Real(str(folder / "inbox.db"), hold=False)))
    print(await measured("inbox, hold too", Real(str(folder / "hold.db"), hold=True)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as made:
        uvloop.run(main(Path(made)))
