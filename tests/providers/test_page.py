"""`docs/providers.md` says what the tables say."""

from __future__ import annotations

import pytest

from sidecar.providers.table import PROFILES
from tests.providers import page


def test_the_page_is_fresh() -> None:
    """If not: `python -m tests.providers.page`, and read the difference."""
    assert page.PAGE.read_text(encoding="utf-8") == page.page()


@pytest.mark.parametrize("made", [page.spoken, page.able, page.prices])
def test_every_provider_has_its_row(made: object) -> None:
    rows = made().splitlines()[2:]  # type: ignore[operator]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(PROFILES)


def test_every_row_has_as_many_cells_as_the_head() -> None:
    for made in (page.spoken, page.able, page.rules, page.told, page.prices):
        assert len({line.count(" | ") for line in made().splitlines()}) == 1


def test_a_family_that_differs_makes_it_some() -> None:
    (row,) = [line for line in page.able().splitlines() if line.startswith("| moonshot |")]
    assert "| some |" in row
