"""Columns."""

from __future__ import annotations

from sidecar.cli.table import table


def test_columns_line_up_and_figures_stand_to_the_right() -> None:
    assert table(("name", "n"), [("a", "1"), ("long name", "1,000")], " r") == [
        "name           n",
        "a              1",
        "long name  1,000",
    ]


def test_wide_characters_count_twice() -> None:
    assert table(("a", "b"), [("東京", "x"), ("abc", "y")]) == ["a     b", "東京  x", "abc   y"]


def test_without_rows_there_is_the_head() -> None:
    assert table(("a", "b"), []) == ["a  b"]
