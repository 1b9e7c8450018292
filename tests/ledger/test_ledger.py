from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.core.events import Outcome
from sidecar.core.money import Cost
from sidecar.core.usage import Usage
from sidecar.ledger.entry import DAEMON_DIED
from sidecar.ledger.ledger import Ledger
from sidecar.ledger.query import UsageQuery
from sidecar.ledger.reader import read_usage
from sidecar.ledger.writer import Writer
from tests.ledger.disk import full_beyond
from tests.ledger.making import NOON_NS, StillClock, entry

ALL = UsageQuery()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "ledger.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    opened = Ledger.open(str(path), StillClock())
    yield opened
    await opened.aclose()


def inbox_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.inbox.*"))


def left_as_by_a_kill(path: Path) -> Ledger:
    """A ledger whose lock is gone, as the system takes it from a dead process."""
    ledger = Ledger.open(str(path), StillClock())
    os.close(ledger._writer._lock)
    ledger._writer._lock = -1
    return ledger


async def abandon(ledger: Ledger) -> None:
    """Let go of the threads and timers of a ledger that was "killed"."""
    for timer in ledger._timers.values():
        timer.cancel()
    assert ledger._thread is not None
    ledger._thread.shutdown()
    ledger._writer._store.close()


async def test_an_entry_comes_back_as_it_was_recorded(ledger: Ledger, path: Path) -> None:
    ledger.record(entry(7))
    await ledger.flush()
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        (row,) = connection.execute("SELECT * FROM entries").fetchall()
    connection.close()
    assert dict(row) == {
        "id": 1,
        "request_id": "request-7",
        "attempt": 1,
        "started_ns": NOON_NS,
        "ended_ns": NOON_NS + 7,
        "provider": "deepseek",
        "model": "deepseek-v4-pro",
        "response_model": "deepseek-v4-pro",
        "account": "team-a",
        "key_alias": "a1",
        "caller": "checkout",
        "labels": '{"team":"shop","odd \\"name\\"":"x"}',
        "route": "default",
        "cause": "first",
        "continuation": "fresh",
        "outcome": "completed",
        "reason": "",
        "input_tokens": 107,
        "cached_input_tokens": 40,
        "cache_write_tokens": 10,
        "output_tokens": 60,
        "reasoning_tokens": 50,
        "estimated": 0,
        "input_nano_usd": 1_007,
        "reasoning_nano_usd": 20,
        "answer_nano_usd": 3,
        "unknown_price": 0,
        "tier": "deepseek off-peak",
        "duration_s": 1.5,
        "first_reasoning_s": 0.25,
        "first_answer_s": None,
        "saved_reasoning_tokens": 1,
        "saved_answer_tokens": 2,
        "saved_nano_usd": 3,
    }


async def test_usage_counts_what_was_recorded_a_moment_ago(ledger: Ledger) -> None:
    ledger.record(entry(1))
    ledger.record(entry(2))
    assert (await ledger.usage(ALL)).total.cost == Cost(2_003, 40, 6)


async def test_a_reader_sees_entries_that_are_still_in_the_inbox(
    ledger: Ledger, path: Path
) -> None:
    ledger.record(entry(1))
    assert read_usage(str(path), ALL).total.attempts == 1


async def test_a_reader_counts_nothing_twice_after_a_flush(ledger: Ledger, path: Path) -> None:
    ledger.record(entry(1))
    await ledger.flush()
    ledger.record(entry(2))
    assert read_usage(str(path), ALL).total.attempts == 2


def told_when(monkeypatch: pytest.MonkeyPatch, name: str) -> asyncio.Event:
    """An event that is set when the writer has done `name`."""
    loop, done, real = asyncio.get_running_loop(), asyncio.Event(), getattr(Writer, name)

    def telling(self: Writer, *arguments: object) -> object:
        result = real(self, *arguments)
        loop.call_soon_threadsafe(done.set)
        return result

    monkeypatch.setattr(Writer, name, telling)
    return done


async def test_entries_go_to_sqlite_by_themselves(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = told_when(monkeypatch, "take_over")
    ledger.record(entry(1))
    await taken.wait()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM entries").fetchone() == (1,)
    connection.close()


async def test_a_closed_ledger_leaves_one_file_and_everything_in_it(path: Path) -> None:
    ledger = Ledger.open(str(path), StillClock())
    ledger.hold(entry(1, outcome=Outcome.INTERRUPTED))
    ledger.record(entry(1))
    await ledger.aclose()
    assert sorted(file.name for file in path.parent.iterdir()) == ["ledger.db", "ledger.db.lock"]
    assert read_usage(str(path), ALL).total.attempts == 1


async def test_closing_twice_is_allowed(path: Path) -> None:
    ledger = Ledger.open(str(path), StillClock())
    await ledger.aclose()
    await ledger.aclose()


async def test_the_next_start_takes_over_what_a_killed_daemon_left_in_the_inbox(
    path: Path,
) -> None:
    killed = left_as_by_a_kill(path)
    killed.record(entry(1))
    await killed.flush()
    killed.record(entry(2))
    await abandon(killed)
    again = Ledger.open(str(path), StillClock())
    assert (await again.usage(ALL)).total.cost == Cost(2_003, 40, 6)
    await again.aclose()


async def test_an_attempt_alive_at_a_kill_is_entered_as_estimated(path: Path) -> None:
    killed = left_as_by_a_kill(path)
    killed.hold(entry(1, usage=Usage(100), cost=Cost(500)))
    killed.hold(entry(1, usage=Usage(100, output_tokens=20), cost=Cost(500, 0, 200)))
    killed.hold(entry(2))
    killed.record(entry(2))
    await killed.flush()
    await abandon(killed)
    again = Ledger.open(str(path), StillClock())
    report = await again.usage(UsageQuery(group_by=("outcome", "reason")))
    await again.aclose()
    assert [(row.group, row.attempts, row.estimated_attempts) for row in report.rows] == [
        ((("outcome", "completed"), ("reason", "")), 1, 0),
        ((("outcome", "interrupted"), ("reason", DAEMON_DIED)), 1, 1),
    ]
    assert report.rows[1].usage == Usage(100, output_tokens=20, estimated=True)
    assert report.rows[1].cost == Cost(500, 0, 200)


async def test_several_are_held_by_one_write(path: Path) -> None:
    killed = left_as_by_a_kill(path)
    killed.hold()
    killed.hold(entry(1, usage=Usage(1)), entry(2, usage=Usage(10)))
    killed.hold(entry(2, usage=Usage(100)), entry(3, usage=Usage(1_000)))
    await abandon(killed)
    await Ledger.open(str(path), StillClock()).aclose()
    total = read_usage(str(path), ALL).total
    assert (total.attempts, total.usage.input_tokens) == (3, 1_101)


async def test_an_attempt_alive_at_a_kill_is_entered_once_over_many_starts(path: Path) -> None:
    killed = left_as_by_a_kill(path)
    killed.hold(entry(1))
    await abandon(killed)
    for _ in range(3):
        await Ledger.open(str(path), StillClock()).aclose()
    assert read_usage(str(path), ALL).total.attempts == 1


async def test_an_attempt_that_outlives_its_segment_is_still_found_after_a_kill(
    path: Path,
) -> None:
    killed = Ledger.open(str(path), StillClock(), segment_bytes=2_000)
    killed.hold(entry(1))
    for number in range(2, 40):
        killed.record(entry(number))
        await killed.flush()
    assert len(inbox_files(path)) == 1
    assert inbox_files(path)[0].suffix != ".1"
    os.close(killed._writer._lock)
    await abandon(killed)
    again = Ledger.open(str(path), StillClock())
    report = await again.usage(ALL)
    await again.aclose()
    assert (report.total.attempts, report.total.estimated_attempts) == (39, 1)


async def test_a_flush_that_nobody_waits_for_counts_once(ledger: Ledger) -> None:
    ledger.record(entry(1))
    impatient = asyncio.ensure_future(ledger.flush())
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await ledger.usage(ALL)).total.attempts == 1


async def test_old_entries_are_pruned_and_young_ones_kept(path: Path) -> None:
    ledger = Ledger.open(str(path), StillClock(NOON_NS + 10_000_000_000), retention_s=10.0)
    for number in (-5, -1, 0, 5):
        ledger.record(entry(number))
    await ledger.flush()
    assert await ledger.prune() == 2
    assert (await ledger.usage(ALL)).total.attempts == 2
    await ledger.aclose()


async def test_pruning_goes_on_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned = told_when(monkeypatch, "prune")
    ledger = Ledger.open(str(path), StillClock(NOON_NS + 10_000_000_000), retention_s=1.0)
    ledger.record(entry(1))
    await ledger.flush()
    ledger.start_pruning()
    await pruned.wait()
    assert (await ledger.usage(ALL)).total.attempts == 0
    await ledger.aclose()


async def test_a_ledger_in_memory_answers_the_same_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ledger = Ledger.open(":memory:", StillClock())
    ledger.hold(entry(0))
    for number in range(2_500):
        ledger.record(entry(number))
    assert (await ledger.usage(ALL)).total.attempts == 2_500
    assert ledger.state.stranded == 0
    await ledger.aclose()
    assert os.listdir(tmp_path) == []


async def test_a_provider_that_reports_nonsense_does_not_stop_the_ledger(ledger: Ledger) -> None:
    ledger.record(entry(1, usage=Usage(10**30), cost=Cost(10**30), response_model="\ud800"))
    ledger.record(entry(2, labels=(("\udfff", "x"),)))
    assert (await ledger.usage(ALL)).total.attempts == 2
    assert ledger.state.error == ""


async def test_a_full_disk_keeps_entries_in_memory_and_says_so(path: Path) -> None:
    ledger = Ledger.open(str(path), StillClock(), most_stranded=3)
    with full_beyond(100):
        for number in range(5):
            ledger.record(entry(number))
        await ledger.flush()
        report = await ledger.usage(ALL)
    state = ledger.state
    assert (state.stranded, state.dropped, report.total.attempts) == (3, 2, 3)
    assert "the disk takes no entries" in state.error
    assert "entries wait outside SQLite" in state.error
    await ledger.aclose()
    assert read_usage(str(path), ALL).total.attempts == 3


async def test_a_disk_that_has_room_again_is_used_again(path: Path) -> None:
    ledger = Ledger.open(str(path), StillClock())
    with full_beyond(100):
        ledger.record(entry(1))
        await ledger.flush()
    ledger.record(entry(2))
    await ledger.flush()
    state = ledger.state
    assert (state.stranded, state.dropped, state.error) == (0, 0, "")
    assert (state.written, state.pending) == (2, 0)
    assert (await ledger.usage(ALL)).total.attempts == 2
    await ledger.aclose()


async def test_trouble_is_logged_once_and_its_end_too(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger.open(str(path), StillClock())
    with full_beyond(100):
        for number in range(5):
            ledger.record(entry(number))
    ledger.record(entry(6))
    await ledger.aclose()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "the disk takes no entries" in lines[0]
    assert "inbox works again" in lines[1]


async def test_a_ledger_in_memory_keeps_the_last_entries_only() -> None:
    ledger = Ledger.open(":memory:", StillClock(), most_in_memory=1_500)
    for number in range(3_000):
        ledger.record(entry(number))
    query = UsageQuery(until_ns=NOON_NS + 1_500)
    assert (await ledger.usage(ALL)).total.attempts == 1_500
    assert (await ledger.usage(query)).total.attempts == 0
    await ledger.aclose()
