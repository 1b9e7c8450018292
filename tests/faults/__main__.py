"""`python -m tests.faults`: run the card, print it, and with --write keep it as a page."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.faults.card import Outcome, Verdict
from tests.faults.report import line, page, total
from tests.faults.rows import NOT_YET, PARTLY, ROWS
from tests.faults.run import run_rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "failure-card.md"


def main() -> int:
    """0 if every row that ran is a pass."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", default="", help="ids of rows, with commas between them")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    chosen = parser.parse_args()
    only = {name for name in chosen.only.split(",") if name}
    rows = [row for row in ROWS if not only or row.id in only]
    outcomes = asyncio.run(run_rows(rows, _tell))
    print(total(outcomes.values()))
    if chosen.write:
        PAGE.write_text(page(outcomes, PARTLY, NOT_YET), encoding="utf-8")
    return 0 if all(o.verdict is Verdict.PASS for o in outcomes.values()) else 1


def _tell(outcome: Outcome) -> None:
    print(line(outcome), flush=True)


if __name__ == "__main__":
    sys.exit(main())
