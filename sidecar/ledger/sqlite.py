"""The SQLite file itself: opening, committing, asking, pruning. Blocking, one thread at a time."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sidecar.ledger.entry import Entry
from sidecar.ledger.errors import LedgerUnavailable, Trouble
from sidecar.ledger.inbox import Position, UnreadableInbox
from sidecar.ledger.query import UsageQuery, UsageReport, row, statement
from sidecar.ledger.schema import INSERT, MIGRATIONS, NAMES, TABLE, line, migrate, version_of

MEMORY = ":memory:"
# NORMAL: a commit survives the death of the process; losing power may cost the last commits, never
# the file (SQLite's own documentation of WAL). The cache is small because the daemon is.
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA journal_size_limit = 8388608",
    "PRAGMA cache_size = -512",
)
IN_MEMORY = "PRAGMA temp_store = MEMORY"
BUSY_S = 5.0
_BOTH = f"(SELECT {NAMES} FROM entries UNION ALL SELECT {NAMES} FROM temp.extra)"
_TROUBLES = {
    sqlite3.SQLITE_CORRUPT: Trouble.CORRUPT,
    sqlite3.SQLITE_NOTADB: Trouble.CORRUPT,
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
}
_NO_TEMPORARY_FILE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
# The low byte of an extended SQLite code is the primary one.
_PRIMARY = 0xFF


class Store:
    """One connection. Errors at opening are LedgerUnavailable, later ones sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: str) -> Store:
        """For writing; the file is made (mode 600) if it is not there, and migrated."""
        with told(path):
            if path != MEMORY:
                _touch(Path(path))
            connection = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            with _closed_on_error(connection):
                for pragma in PRAGMAS:
                    connection.execute(pragma)
                _refuse_newer(connection, path)
                migrate(connection)
        return cls(connection)

    @classmethod
    def open_to_read(cls, path: str) -> Store:
        """For reading, while a daemon may be writing. Changes nothing in the file."""
        if not Path(path).exists():
            raise LedgerUnavailable(Trouble.MISSING, path, "there is no such file")
        with told(path):
            uri = f"{Path(path).absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
            with _closed_on_error(connection):
                # A process that asks once may be large, and may have no folder to write to.
                connection.execute(IN_MEMORY)
                _refuse_newer(connection, path)
        return cls(connection)

    def position(self) -> Position:
        """Up to where the inbox has been taken over."""
        return Position(*self._connection.execute("SELECT segment, byte FROM inbox").fetchone())

    def commit(self, entries: Iterable[Entry], position: Position) -> None:
        """Add all of `entries` and move the position, or neither."""
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            self._connection.executemany(f"INSERT INTO entries {INSERT}", map(line, entries))
            self._connection.execute("UPDATE inbox SET segment = ?, byte = ?", position)

    def usage(self, query: UsageQuery, extra: Sequence[Entry] = ()) -> UsageReport:
        """The answer over the file and `extra` entries that are not in it yet.

        Sums over many entries sort in temporary files, so that memory stays small; where there is
        no folder for those, in memory.
        """
        try:
            return self._usage(query, extra)
        except sqlite3.OperationalError as error:
            if _code(error) not in _NO_TEMPORARY_FILE:
                raise
        self._connection.execute(IN_MEMORY)
        return self._usage(query, extra)

    def _usage(self, query: UsageQuery, extra: Sequence[Entry]) -> UsageReport:
        table = self._with(extra) if extra else "entries"
        asked = statement(query, table)
        rows = tuple(
            row(query, values) for values in self._connection.execute(asked.sql, asked.parameters)
        )
        if not query.group_by:
            return UsageReport(rows, rows[0])
        return UsageReport(rows, self._usage(_ungrouped(query), extra).total)

    def prune(self, before_ns: int, most: int) -> int:
        """Delete up to `most` entries that ended before; how many were deleted."""
        sql = "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE ended_ns < ? LIMIT ?)"
        return self._connection.execute(sql, (before_ns, most)).rowcount

    def keep_last(self, count: int) -> None:
        """Delete all but the last `count` entries."""
        sql = "DELETE FROM entries WHERE id <= (SELECT max(id) FROM entries) - ?"
        self._connection.execute(sql, (count,))

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything asked inside sees the file as it was at the first question."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()

    def _with(self, extra: Sequence[Entry]) -> str:
        self._connection.execute(f"CREATE TEMP TABLE IF NOT EXISTS extra ({TABLE})")
        self._connection.execute("DELETE FROM temp.extra")
        self._connection.executemany(f"INSERT INTO temp.extra {INSERT}", map(line, extra))
        return _BOTH


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & _PRIMARY


def _ungrouped(query: UsageQuery) -> UsageQuery:
    return UsageQuery(
        **{
            name: getattr(query, name)
            for name in UsageQuery.__struct_fields__
            if name != "group_by"
        }
    )


def _touch(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _refuse_newer(connection: sqlite3.Connection, path: str) -> None:
    version = version_of(connection)
    if version > len(MIGRATIONS):
        detail = f"has schema version {version}, this Headway knows {len(MIGRATIONS)}"
        raise LedgerUnavailable(Trouble.NEWER, path, detail)


@contextlib.contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


@contextlib.contextmanager
def told(path: str) -> Iterator[None]:
    """Errors of SQLite, the disk and the inbox become LedgerUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        trouble = _TROUBLES.get(_code(error), Trouble.UNWRITABLE)
        raise LedgerUnavailable(trouble, path, str(error)) from error
    except OSError as error:
        raise LedgerUnavailable(Trouble.UNWRITABLE, path, str(error)) from error
    except UnreadableInbox as error:
        raise LedgerUnavailable(Trouble.NEWER, path, str(error)) from error
