from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.ledger.errors import LedgerUnavailable, Trouble
from sidecar.ledger.inbox import Inbox, frame, segment
from sidecar.ledger.query import UsageQuery
from sidecar.ledger.reader import read_usage
from sidecar.ledger.writer import Writer, open_writer
from tests.ledger.making import entry

ALL = UsageQuery()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def daemon(path: Path) -> tuple[Writer, Inbox]:
    writer, inbox = open_writer(str(path), segment_bytes=1 << 20)
    assert inbox is not None
    return writer, inbox


def attempts(path: Path) -> int:
    return read_usage(str(path), ALL).total.attempts


def test_entries_in_the_inbox_and_in_sqlite_are_counted_once_each(
    path: Path, daemon: tuple[Writer, Inbox]
) -> None:
    writer, inbox = daemon
    for number in range(3):
        inbox.append(frame(entry(number), final=True))
    writer.take_over(inbox.position, ())
    inbox.append(frame(entry(3), final=True))
    assert attempts(path) == 4
    writer.close(clean=True)


def test_attempts_that_are_running_are_not_counted(
    path: Path, daemon: tuple[Writer, Inbox]
) -> None:
    writer, inbox = daemon
    inbox.append(frame(entry(1), final=False))
    assert attempts(path) == 0
    writer.close(clean=True)


def test_a_ledger_that_was_closed_is_read_without_its_inbox(
    path: Path, daemon: tuple[Writer, Inbox]
) -> None:
    writer, inbox = daemon
    inbox.append(frame(entry(1), final=True))
    writer.take_over(inbox.position, ())
    writer.close(clean=True)
    assert attempts(path) == 1


def test_reading_leaves_no_file_behind(path: Path, daemon: tuple[Writer, Inbox]) -> None:
    daemon[0].close(clean=True)
    before = sorted(file.name for file in path.parent.iterdir())
    attempts(path)
    after = sorted(file.name for file in path.parent.iterdir())
    assert set(after) - set(before) <= {"ledger.db-shm", "ledger.db-wal"}


def test_an_inbox_that_does_not_begin_where_sqlite_ends_is_never_half_read(
    path: Path, daemon: tuple[Writer, Inbox]
) -> None:
    writer, inbox = daemon
    inbox.append(frame(entry(1), final=True))
    inbox.rotate(b"")
    segment(path, inbox.position.segment - 1).unlink()
    with pytest.raises(LedgerUnavailable) as caught:
        attempts(path)
    assert caught.value.trouble is Trouble.BUSY
    writer.close(clean=True)


def test_an_unknown_group_is_the_askers_mistake(path: Path, daemon: tuple[Writer, Inbox]) -> None:
    with pytest.raises(ValueError, match="cannot group by"):
        read_usage(str(path), UsageQuery(group_by=("colour",)))
    daemon[0].close(clean=True)
