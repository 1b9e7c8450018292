from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from sidecar.ledger.schema import COLUMNS, MIGRATIONS, line, migrate, version_of
from tests.ledger.making import entry


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    yield opened
    opened.close()


ONE = ("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
TWO = ("ALTER TABLE t ADD COLUMN b DEFAULT 2",)
BROKEN = ("ALTER TABLE t ADD COLUMN c", "THIS IS NOT SQL")


def test_a_new_file_gets_every_step(connection: sqlite3.Connection) -> None:
    migrate(connection, (ONE, TWO))
    assert version_of(connection) == 2
    assert connection.execute("SELECT * FROM t").fetchall() == [(1, 2)]


def test_an_old_file_gets_only_the_steps_it_lacks_and_keeps_its_rows(
    connection: sqlite3.Connection,
) -> None:
    migrate(connection, (ONE,))
    connection.execute("INSERT INTO t VALUES (7)")
    migrate(connection, (ONE, TWO))
    assert connection.execute("SELECT * FROM t").fetchall() == [(1, 2), (7, 2)]


def test_migrating_twice_changes_nothing(connection: sqlite3.Connection) -> None:
    migrate(connection, (ONE, TWO))
    migrate(connection, (ONE, TWO))
    assert connection.execute("SELECT * FROM t").fetchall() == [(1, 2)]


def test_a_step_that_fails_leaves_the_version_before_it(connection: sqlite3.Connection) -> None:
    migrate(connection, (ONE,))
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, (ONE, BROKEN))
    assert version_of(connection) == 1
    assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]


def test_the_real_steps_make_the_table_that_entries_fit(connection: sqlite3.Connection) -> None:
    migrate(connection)
    names = [row[1] for row in connection.execute("PRAGMA table_info(entries)")]
    assert names == ["id", *(name for name, _ in COLUMNS)]
    assert len(line(entry(1))) == len(COLUMNS)
    assert version_of(connection) == len(MIGRATIONS)
