"""One figure of the limits: what was promised, what was measured, and how to measure it again."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """`met` is None where nothing was promised. `command` makes the figure again."""

    what: str
    target: str
    measured: str
    met: bool | None
    command: str


MARKS = {True: "yes", False: "**no**", None: "-"}


def rows(figures: Iterable[Figure]) -> list[str]:
    """A table in Markdown."""
    lines = [
        f"| {one.what} | {one.target} | {one.measured} | {MARKS[one.met]} | `{one.command}` |"
        for one in figures
    ]
    return ["| what | target | measured | met | command |", "|---|---|---|---|---|", *lines]


def show(figures: Iterable[Figure]) -> None:
    for one in figures:
        mark = {True: "met", False: "NOT MET", None: ""}[one.met]
        print(f"{one.what:<58} {one.target:<26} {one.measured:<56} {mark}", flush=True)
