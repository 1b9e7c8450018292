"""A daemon is killed under load; nobody is the worse for it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak import kills

pytestmark = [pytest.mark.process, pytest.mark.redis, pytest.mark.slow]
TIMES = 10


@pytest.fixture(scope="module")
def figures() -> Iterator[kills.Figures]:
    folder = Path(tempfile.mkdtemp(prefix="hw"))
    yield asyncio.run(kills.run(folder, TIMES))
    shutil.rmtree(folder, ignore_errors=True)


def test_ten_kills_cost_no_caller_a_word(figures: kills.Figures) -> None:
    assert figures.kills == TIMES
    assert figures.came_back > TIMES
    assert figures.wrong == []


def test_no_ledger_is_corrupt_and_no_finished_attempt_is_lost(figures: kills.Figures) -> None:
    assert figures.corrupt == []
    assert figures.lost_entries == []
