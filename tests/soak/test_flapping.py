"""A real provider that comes and goes for a minute: no caller sees it, and it is soon used again.

Its twin in virtual time has more callers: `tests/simulation/test_flapping.py`.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak import flapping

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture(scope="module")
def figures() -> Iterator[flapping.Figures]:
    folder = Path(tempfile.mkdtemp(prefix="hw"))
    yield asyncio.run(flapping.run(folder))
    shutil.rmtree(folder, ignore_errors=True)


def test_no_caller_sees_an_error_or_another_text(figures: flapping.Figures) -> None:
    assert figures.calls > 100
    assert figures.refused > 0
    assert figures.errors == []
    assert figures.wrong == []


def test_it_is_back_in_use_within_thirty_seconds(figures: flapping.Figures) -> None:
    assert figures.back_s <= flapping.BACK_WITHIN_S
    assert figures.late == 0


def test_it_is_probed_by_one_attempt_at_a_time(figures: flapping.Figures) -> None:
    assert len(figures.probes) >= flapping.FLAPS // 2
    assert figures.crowded == []
