from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from sidecar.ledger.entry import Entry
from sidecar.ledger.inbox import (
    MARK,
    START,
    Inbox,
    Position,
    UnreadableInbox,
    frame,
    read,
    segment,
    segments,
)
from tests.ledger.disk import full_beyond
from tests.ledger.making import entry


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger [1].db"


def numbers(ledger: Path) -> list[int]:
    return [number for number, _ in segments(ledger)]


def everything(inbox: Inbox, ledger: Path) -> list[Entry]:
    return [framed.entry for framed in inbox.read_from(START, inbox.position)]


def test_frames_come_back_in_order_with_their_kinds_and_ends(ledger: Path) -> None:
    inbox = Inbox(ledger, 3)
    inbox.append(frame(entry(1), final=False))
    inbox.append(frame(entry(1), final=True))
    inbox.close()
    frames = list(read(3, segment(ledger, 3)))
    assert [(framed.final, framed.entry) for framed in frames] == [
        (False, entry(1)),
        (True, entry(1)),
    ]
    assert frames[-1].end == inbox.position


def test_a_segment_cut_at_any_byte_gives_its_whole_frames_and_nothing_else(ledger: Path) -> None:
    frames = [frame(entry(number), final=True) for number in range(3)]
    whole = MARK + b"".join(frames)
    path = segment(ledger, 1)
    ends = [len(MARK) + sum(map(len, frames[:count])) for count in range(4)]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        expected = [entry(number) for number in range(3) if ends[number + 1] <= cut]
        assert [framed.entry for framed in read(1, path)] == expected


@pytest.mark.parametrize("tail", [b"\0" * 4_096, b"\xff" * 50, b"\x01"])
def test_what_a_crash_left_at_the_end_is_no_entry(ledger: Path, tail: bytes) -> None:
    path = segment(ledger, 1)
    path.write_bytes(MARK + frame(entry(1), final=True) + tail)
    assert [framed.entry for framed in read(1, path)] == [entry(1)]


def test_a_changed_byte_ends_the_reading(ledger: Path) -> None:
    path = segment(ledger, 1)
    data = bytearray(MARK + frame(entry(1), final=True))
    data[-1] ^= 1
    path.write_bytes(data)
    assert list(read(1, path)) == []


@pytest.mark.parametrize("content", [b"HWLEDG9\n", b"something else"])
def test_a_segment_of_another_version_is_refused_not_skipped(ledger: Path, content: bytes) -> None:
    path = segment(ledger, 1)
    path.write_bytes(content)
    with pytest.raises(UnreadableInbox):
        list(read(1, path))


def test_an_entry_of_another_version_is_refused_not_skipped(ledger: Path) -> None:
    path = segment(ledger, 1)
    foreign = frame(entry(1), final=True).replace(b"completed", b"confusing")
    payload = foreign[9:]
    path.write_bytes(MARK + foreign[:5] + zlib.crc32(payload).to_bytes(4, "little") + payload)
    with pytest.raises(UnreadableInbox, match="another version"):
        list(read(1, path))


def test_reading_goes_on_over_segments_from_a_position_to_another(ledger: Path) -> None:
    inbox = Inbox(ledger, 1)
    positions = []
    for number in range(4):
        if number == 2:
            inbox.rotate(frame(entry(99), final=False))
        inbox.append(frame(entry(number), final=True))
        positions.append(inbox.position)
    inbox.close()
    found = inbox.read_from(positions[0], positions[2])
    assert [framed.entry for framed in found] == [entry(1), entry(99), entry(2)]


def test_discarding_leaves_the_newer_segments(ledger: Path) -> None:
    inbox = Inbox(ledger, 1)
    inbox.rotate(b"")
    inbox.rotate(b"")
    inbox.close()
    inbox.discard_before(3)
    assert numbers(ledger) == [3]


def test_other_files_are_no_segments(ledger: Path) -> None:
    for name in (f"{ledger.name}.inbox.x", f"{ledger.name}.inbox.", "other.inbox.1", ledger.name):
        ledger.with_name(name).write_bytes(b"")
    assert numbers(ledger) == []


def test_a_write_cut_short_by_a_full_disk_leaves_no_trace(ledger: Path) -> None:
    inbox = Inbox(ledger, 1)
    inbox.append(frame(entry(1), final=True))
    before = inbox.position
    with full_beyond(before.offset + 20), pytest.raises(OSError, match="only a part"):
        inbox.append(frame(entry(2), final=True))
    assert inbox.position == before
    inbox.append(frame(entry(3), final=True))
    inbox.close()
    assert everything(inbox, ledger) == [entry(1), entry(3)]


def test_a_new_segment_that_finds_no_room_leaves_the_old_one_in_use(ledger: Path) -> None:
    inbox = Inbox(ledger, 1)
    with full_beyond(4), pytest.raises(OSError, match="no room"):
        inbox.rotate(b"")
    inbox.append(frame(entry(1), final=True))
    inbox.close()
    assert inbox.position.segment == 1
    assert everything(inbox, ledger) == [entry(1)]


def test_a_segment_is_full_at_its_size_whatever_was_carried_over(ledger: Path) -> None:
    data = frame(entry(1), final=True)
    inbox = Inbox(ledger, 1, segment_bytes=2 * len(data))
    inbox.rotate(data * 10)
    full = []
    for _ in range(2):
        inbox.append(data)
        full.append(inbox.full)
    assert full == [False, True]
    inbox.close()


def test_positions_are_ordered_by_segment_then_by_offset() -> None:
    assert START < Position(1, 900) < Position(2, 8) < Position(2, 9)
