"""How a command ends: exit codes, and what is said when it could not do what was asked."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidecar.config.load import Problem

# Exit codes. MISUSED is what typer and most of Unix use for a wrong command line or file.
FAILED = 1
MISUSED = 2


class Failed(Exception):
    """A command cannot go on. `lines`: what happened, then what to do; `code` is the exit code."""

    def __init__(self, *lines: str, code: int = FAILED) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.code = code


def complain(first: str, *more: str, code: int = FAILED) -> int:
    """Say on stderr what went wrong; returns `code`."""
    print(f"headway: {first}", *(f"  {line}" for line in more), sep="\n", file=sys.stderr)
    return code


def told(problems: Iterable[Problem]) -> list[str]:
    """One line for each problem of a configuration, its path first where it has one."""
    return [str(problem) if problem.path else problem.message for problem in problems]
