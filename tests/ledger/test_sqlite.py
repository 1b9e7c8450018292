from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidecar.core.money import Cost
from sidecar.ledger.entry import Entry
from sidecar.ledger.errors import LedgerUnavailable, Trouble
from sidecar.ledger.inbox import START, Position
from sidecar.ledger.query import UsageQuery
from sidecar.ledger.schema import MIGRATIONS
from sidecar.ledger.sqlite import Store
from tests.ledger.disk import full_beyond
from tests.ledger.making import NOON_NS, entry

ALL = UsageQuery()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


def with_version(path: str, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_entries_and_position_are_committed_together(path: str) -> None:
    store = Store.open(path)
    store.commit([entry(1)], Position(2, 30))
    store.close()
    again = Store.open(path)
    assert (again.position(), again.usage(ALL).total.attempts) == (Position(2, 30), 1)
    again.close()


def test_a_commit_that_fails_leaves_neither_entries_nor_position(path: str) -> None:
    def broken() -> Iterator[Entry]:
        yield entry(1)
        raise OSError("the disk is gone")

    store = Store.open(path)
    with pytest.raises(OSError, match="the disk is gone"):
        store.commit(broken(), Position(2, 30))
    assert (store.position(), store.usage(ALL).total.attempts) == (START, 0)
    store.commit([entry(1)], Position(2, 30))
    assert store.usage(ALL).total.attempts == 1
    store.close()


def test_a_reader_beside_a_writer_sees_whole_batches_only(path: str) -> None:
    batch, batches = 10, 60
    writer = Store.open(path)

    def write() -> None:
        for number in range(batches):
            ten = [entry(number * batch + one, cost=Cost(1)) for one in range(batch)]
            writer.commit(ten, Position(1, number))

    thread = threading.Thread(target=write)
    reader = Store.open_to_read(path)
    thread.start()
    seen = [0]
    while seen[-1] < batch * batches:
        with reader.snapshot():
            report = reader.usage(UsageQuery(group_by=("provider",)))
            attempts = report.total.attempts
            assert report.total.cost.total_nano_usd == attempts
            assert sum(row.attempts for row in report.rows) == attempts
        seen.append(attempts)
    thread.join()
    assert seen == sorted(seen)
    assert {count % batch for count in seen} == {0}
    reader.close()
    writer.close()


def test_a_reader_cannot_write(path: str) -> None:
    Store.open(path).close()
    reader = Store.open_to_read(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.commit([entry(1)], START)
    reader.close()


def test_pruning_goes_in_steps_from_what_ended_before(path: str) -> None:
    store = Store.open(path)
    store.commit([entry(number) for number in range(10)], START)
    assert [store.prune(NOON_NS + 5, most=3) for _ in range(3)] == [3, 2, 0]
    assert store.usage(ALL).total.attempts == 5
    store.close()


@pytest.mark.parametrize("opening", [Store.open, Store.open_to_read])
def test_a_file_that_is_no_database_is_refused_with_what_to_do(
    path: str, opening: Callable[[str], Store]
) -> None:
    Path(path).write_bytes(b"this is not a database, it is a letter" * 100)
    with pytest.raises(LedgerUnavailable, match="move the file away") as caught:
        opening(path)
    assert caught.value.trouble is Trouble.CORRUPT


def test_a_file_with_its_pages_overwritten_is_refused_with_what_to_do(path: str) -> None:
    Store.open(path).close()
    size = Path(path).stat().st_size
    with Path(path).open("r+b") as file:
        file.seek(100)
        file.write(b"\xee" * (size - 100))
    with pytest.raises(LedgerUnavailable) as caught:
        Store.open(path).usage(ALL)
    assert caught.value.trouble is Trouble.CORRUPT


@pytest.mark.parametrize("opening", [Store.open, Store.open_to_read])
def test_a_file_of_a_newer_version_is_refused(path: str, opening: Callable[[str], Store]) -> None:
    with_version(path, len(MIGRATIONS) + 1)
    with pytest.raises(LedgerUnavailable, match="use the newer Headway") as caught:
        opening(path)
    assert caught.value.trouble is Trouble.NEWER


def test_a_folder_that_is_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerUnavailable, match="write access to the folder") as caught:
        Store.open(str(tmp_path / "file" / "ledger.db"))
    assert caught.value.trouble is Trouble.UNWRITABLE


def test_reading_a_file_that_is_not_there_is_refused_and_makes_none(path: str) -> None:
    with pytest.raises(LedgerUnavailable) as caught:
        Store.open_to_read(path)
    assert caught.value.trouble is Trouble.MISSING
    assert not Path(path).exists()


def test_large_sums_need_no_folder_for_temporary_files(path: str) -> None:
    store = Store.open(path)
    long_names = [f"{number:02000}" for number in range(5_000)]
    store.commit((entry(1, caller=name) for name in long_names), START)
    with full_beyond(1_000):
        report = store.usage(UsageQuery(group_by=("caller",)), [entry(1, caller=long_names[0])])
    assert (len(report.rows), report.total.attempts) == (5_000, 5_001)
    store.close()
