"""Columns of text that line up, in a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from headway.terminal import cells


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> list[str]:
    """Lines of columns under their heads; `right` has an "r" in the place of each column of
    figures, as in "  rrr". Nothing is cut off."""
    lines = [list(head), *map(list, rows)]
    widths = [max(cells(line[place]) for line in lines) for place in range(len(head))]
    return [_line(line, widths, right) for line in lines]


def _line(line: Sequence[str], widths: Sequence[int], right: str) -> str:
    parts = []
    for place, (text, width) in enumerate(zip(line, widths, strict=True)):
        blanks = " " * (width - cells(text))
        parts.append(blanks + text if right[place : place + 1] == "r" else text + blanks)
    return "  ".join(parts).rstrip()
