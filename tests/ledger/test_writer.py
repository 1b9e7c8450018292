from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.core.events import Outcome
from sidecar.ledger.entry import lost
from sidecar.ledger.errors import LedgerUnavailable, Trouble
from sidecar.ledger.inbox import MARK, Inbox, frame, segment, segments
from sidecar.ledger.query import UsageQuery
from sidecar.ledger.writer import Writer, open_writer
from tests.ledger.disk import full_beyond
from tests.ledger.making import entry

ALL = UsageQuery()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def opened(path: Path) -> tuple[Writer, Inbox]:
    writer, inbox = open_writer(str(path), segment_bytes=1_000)
    assert inbox is not None
    return writer, inbox


def left(path: Path, number: int, *frames: bytes) -> None:
    """A segment as a killed daemon left it."""
    segment(path, number).write_bytes(MARK + b"".join(frames))


def attempts_after_a_start(path: Path) -> int:
    writer, _ = opened(path)
    attempts = writer.usage(ALL, ()).total.attempts
    writer.close(clean=True)
    return attempts


def held(number: int) -> bytes:
    return frame(entry(number), final=False)


def final(number: int) -> bytes:
    return frame(entry(number), final=True)


def test_many_segments_are_taken_over_whole_and_deleted(path: Path) -> None:
    writer, inbox = opened(path)
    for number in range(20):
        if inbox.full:
            inbox.rotate(b"")
        inbox.append(final(number))
    assert len(segments(path)) > 3
    writer.take_over(inbox.position, ())
    assert writer.usage(ALL, ()).total.attempts == 20
    assert segments(path) == [
        (inbox.position.segment, segment(path, inbox.position.segment)),
    ]
    writer.close(clean=True)


def test_taking_over_again_takes_nothing_twice(path: Path) -> None:
    writer, inbox = opened(path)
    inbox.append(final(1))
    for _ in range(3):
        writer.take_over(inbox.position, ((1, entry(2)),))
    assert writer.usage(ALL, ((1, entry(2)),)).total.attempts == 2
    writer.close(clean=True)


def test_stranded_entries_are_counted_before_they_are_taken(path: Path) -> None:
    writer, _ = opened(path)
    assert writer.usage(ALL, ((1, entry(1)), (2, entry(2)))).total.attempts == 2
    writer.close(clean=True)


def test_segments_that_were_taken_over_but_not_deleted_are_not_counted_again(path: Path) -> None:
    writer, inbox = opened(path)
    inbox.append(final(1))
    old = inbox.position
    inbox.rotate(b"")
    writer.take_over(inbox.position, ())
    writer.close(clean=False)
    left(path, old.segment, final(1), held(1), final(1))
    assert attempts_after_a_start(path) == 1


def test_an_attempt_is_lost_only_if_its_last_frame_is_held(path: Path) -> None:
    writer, _ = opened(path)
    writer.close(clean=True)
    left(path, 7, held(1), final(1), held(2), held(3))
    left(path, 8, held(3), final(3), held(1))
    writer, _ = opened(path)
    report = writer.usage(UsageQuery(group_by=("outcome",)), ())
    writer.close(clean=True)
    assert {row.group[0][1]: row.attempts for row in report.rows} == {
        Outcome.COMPLETED.value: 2,
        lost(entry(1)).outcome.value: 2,
    }


def test_a_clean_close_leaves_no_segment(path: Path) -> None:
    assert attempts_after_a_start(path) == 0
    assert segments(path) == []


def test_segment_numbers_are_never_used_again(path: Path) -> None:
    seen = []
    for _ in range(3):
        writer, inbox = opened(path)
        seen.append(inbox.position.segment)
        writer.close(clean=True)
    assert seen == sorted(set(seen))


def test_an_inbox_of_another_version_stops_the_start_and_stays(path: Path) -> None:
    segment(path, 5).write_bytes(b"HWLEDG9\n" + b"x" * 50)
    with pytest.raises(LedgerUnavailable) as caught:
        opened(path)
    assert caught.value.trouble is Trouble.NEWER
    assert segment(path, 5).read_bytes().startswith(b"HWLEDG9")


def test_a_start_that_failed_can_be_made_again(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to look like one" * 30)
    with pytest.raises(LedgerUnavailable):
        opened(path)
    path.unlink()
    assert attempts_after_a_start(path) == 0


def test_a_full_disk_at_the_start_is_told(path: Path) -> None:
    with full_beyond(1_000), pytest.raises(LedgerUnavailable) as caught:
        opened(path)
    assert caught.value.trouble is Trouble.UNWRITABLE


def test_a_second_writer_is_refused_before_it_touches_anything(path: Path) -> None:
    writer, _ = opened(path)
    before = sorted(file.name for file in path.parent.iterdir())
    with pytest.raises(LedgerUnavailable, match="stop the other daemon") as caught:
        opened(path)
    assert caught.value.trouble is Trouble.IN_USE
    assert sorted(file.name for file in path.parent.iterdir()) == before
    writer.close(clean=True)


def test_the_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    writer, _ = opened(path)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    writer.close(clean=True)
