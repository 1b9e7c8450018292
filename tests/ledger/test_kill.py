"""A real process, killed with SIGKILL while it records."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.ledger.query import UsageQuery
from sidecar.ledger.reader import read_usage
from sidecar.ledger.writer import open_writer

ROOT = Path(__file__).parents[2]
KILLS = 30


def killed_after(path: Path, first: int, lines: int) -> tuple[set[int], set[int]]:
    """Run the recorder, kill it after so many lines; the numbers it said it held and recorded."""
    command = [sys.executable, "-m", "tests.ledger.recording", str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)
    whole = [line for line in said if line.endswith(b"\n")]
    held = {int(line[1:]) for line in whole if line.startswith(b"h")}
    return held, {int(line[1:]) for line in whole if line.startswith(b"r")}


def outcomes_by_number(path: Path) -> dict[int, list[str]]:
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found: dict[int, list[str]] = {}
        for request_id, outcome in connection.execute("SELECT request_id, outcome FROM entries"):
            found.setdefault(int(request_id.removeprefix("request-")), []).append(outcome)
    connection.close()
    return found


@pytest.mark.process
def test_no_acknowledged_entry_is_lost_and_none_doubled_over_many_kills(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    dice = random.Random(7)
    held: set[int] = set()
    recorded: set[int] = set()
    for kill in range(KILLS):
        said = killed_after(path, kill * 1_000_000, dice.randint(1, 2_500))
        held |= said[0]
        recorded |= said[1]
        # Before any daemon has started again, an outside reader sees all of them.
        report = read_usage(str(path), UsageQuery(outcome="completed"))
        assert report.total.attempts >= len(recorded)
    writer, _ = open_writer(str(path), segment_bytes=1 << 20)
    writer.close(clean=True)
    found = outcomes_by_number(path)
    assert {tuple(found.get(number, ())) for number in recorded} == {("completed",)}
    alive = held - recorded
    assert {number: len(found.get(number, [])) for number in alive} == dict.fromkeys(alive, 1)
    assert all(len(outcomes) == 1 for outcomes in found.values())
    odd = {number for number in alive if number % 2}
    assert {tuple(found[number]) for number in odd} == {("interrupted",)}
