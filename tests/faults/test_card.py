"""The card as tests: every row that is asked for runs once, side by side, and must pass."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.card import Outcome, Verdict
from tests.faults.report import line
from tests.faults.rows import ROWS
from tests.faults.run import run_rows

pytestmark = pytest.mark.process

# A row of this many seconds or more is for whoever has the time.
SLOW_S = 15.0
# All of them take five minutes on a busy machine; this ends a hang that the rows' own limits miss.
ALL_S = 1200.0


def row_param(row_id: str, lasts_s: float) -> object:
    return pytest.param(row_id, marks=[pytest.mark.slow] if lasts_s >= SLOW_S else [])


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> dict[str, Outcome]:
    """What came of the rows that were chosen on the command line, all run at once."""
    chosen = {
        item.callspec.params.get("row_id")
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    }
    return asyncio.run(run_rows(row for row in ROWS if row.id in chosen))


@pytest.mark.timeout(ALL_S)
@pytest.mark.parametrize("row_id", [row_param(row.id, row.lasts_s) for row in ROWS])
def test_the_row_of_the_card_is_passed(row_id: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[row_id]
    assert outcome.verdict is Verdict.PASS, line(outcome)
