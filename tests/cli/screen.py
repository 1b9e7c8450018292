"""A terminal as far as our output uses one: what it shows after the writes."""

from __future__ import annotations

import re

_STEP = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|([\s\S])")
STRUCK = "2;9"


class Terminal:
    """Lines of (character, style)."""

    def __init__(self, written: str, columns: int = 80) -> None:
        self._columns = columns
        self._rows: list[list[tuple[str, str]]] = [[]]
        self._row = self._column = 0
        self._style = ""
        for match in _STEP.finditer(written.replace("\r\n", "\n")):
            code, command, char = match.groups()
            if command:
                self._command(code, command)
            else:
                self._write(char)

    def _command(self, code: str, command: str) -> None:
        if command == "m":
            self._style = code
        elif command == "A":
            self._row -= int(code)
        elif command == "C":
            self._column += int(code)
        elif command == "J":
            self._rows = self._rows[: self._row + 1]
            self._rows[self._row] = self._rows[self._row][: self._column]
        else:
            raise AssertionError(f"this terminal does not know {command}")

    def _write(self, char: str) -> None:
        if char == "\r":
            self._column = 0
            return
        if char == "\n" or self._column >= self._columns:
            self._row, self._column = self._row + 1, 0
            if len(self._rows) <= self._row:
                self._rows.append([])
        if char == "\n":
            return
        row = self._rows[self._row]
        row.extend([(" ", "")] * (self._column + 1 - len(row)))
        row[self._column] = (char, self._style)
        self._column += 1

    @property
    def lines(self) -> list[str]:
        """What it shows."""
        return ["".join(char for char, _ in row).rstrip() for row in self._rows]

    @property
    def standing(self) -> list[str]:
        """What it shows, less what is struck out and lines with nothing else."""
        kept = ["".join(char for char, style in row if style != STRUCK) for row in self._rows]
        return [line.rstrip() for line in kept if line.strip()]

    @property
    def struck(self) -> str:
        """What is struck out."""
        return "".join(char for row in self._rows for char, style in row if style == STRUCK)
