"""Every figure of the limits in one go: python -m bench.limits_all [--write] [part...]

About nine minutes. `--write` puts the table into docs/limits-figures.md, between its two marks;
parts are day, enforced, falling, fleet, kill, line, memory, redis. Ends with 1 if a promise was not
kept. Correctness (nothing over, nothing refused, nothing late) does not depend on the machine;
microseconds do: judge them on a quiet one.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from bench import (
    limits_day,
    limits_enforced,
    limits_falling,
    limits_fleet,
    limits_kill,
    limits_line,
    limits_memory,
    limits_redis,
)
from bench.limits_table import Figure, rows, show

PAGE = Path(__file__).parents[1] / "docs" / "limits-figures.md"
MARKS = ("<!-- figures -->", "<!-- end of figures -->")
PARTS: dict[str, Callable[[], Iterable[Figure]]] = {
    "memory": limits_memory.figures,
    "redis": limits_redis.figures,
    "falling": limits_falling.figures,
    "line": limits_line.figures,
    "enforced": limits_enforced.figures,
    "kill": limits_kill.figures,
    "fleet": limits_fleet.figures,
    "day": limits_day.figures,
}


def measure(parts: Iterable[str]) -> list[Figure]:
    found = []
    for part in parts:
        for figure in PARTS[part]():
            show([figure])
            found.append(figure)
    return found


def written(page: str, figures: list[Figure], minutes: float) -> str:
    """The page with the new table in it."""
    before, rest = page.split(MARKS[0])
    _, after = rest.split(MARKS[1])
    where = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    load = os.getloadavg()[2]
    when = time.strftime("%Y-%m-%d")
    table = "\n".join(rows(figures))
    told = f"Run of {when}, {minutes:.0f} minutes: {where}; load of the machine {load:.1f}."
    return f"{before}{MARKS[0]}\n{told}\n\n{table}\n{MARKS[1]}{after}"


def main(words: list[str]) -> int:
    parts = [word for word in words if word in PARTS]
    began = time.monotonic()
    figures = measure(parts or PARTS)
    if "--write" in words:
        minutes = (time.monotonic() - began) / 60
        PAGE.write_text(written(PAGE.read_text("utf-8"), figures, minutes), "utf-8")
    missed = [figure.what for figure in figures if figure.met is False]
    print(f"{len(figures) - len(missed)} of {len(figures)} kept", *missed, sep="\n  ")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
