"""Show a stream to a person, and take back what a restart made void."""

import shutil
import sys
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, TextIO

from headway.events import Attempt, Event, ReasoningDelta, ToolCallDelta

_DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class _Piece:
    sequence: int
    kind: type
    text: str


@dataclass(slots=True)
class Printer:
    """Writes reasoning (dim), answer, refusal and tool calls as they come.

    When an attempt discards text it is erased on a terminal; elsewhere, and where it has scrolled
    out of reach, a line says that it is void and what stands is written again.

    The stream must begin at the left margin. `ansi`, `columns`, `lines`: default as `out` is now.
    """

    out: TextIO = field(default_factory=lambda: sys.stdout)
    ansi: bool | None = None
    columns: int | None = None
    lines: int | None = None
    _shown: list[_Piece] = field(default_factory=list)

    def show(self, event: Event) -> None:
        """Write what the event adds, or take back what it discards."""
        if isinstance(event, Attempt):
            self._discard(event)
        elif text := _text(event):
            self._add(_Piece(event.sequence, type(event), self._gap(type(event)) + text))
        self.out.flush()

    def _gap(self, kind: type) -> str:
        """An empty line where one kind of text follows another."""
        return "\n\n" if self._shown and self._shown[-1].kind is not kind else ""

    def _add(self, piece: _Piece) -> None:
        dim = self._ansi() and piece.kind is ReasoningDelta
        self.out.write(f"{_DIM}{piece.text}{_PLAIN}" if dim else piece.text)
        self._shown.append(piece)

    def _discard(self, attempt: Attempt) -> None:
        first = bisect_right(
            self._shown, attempt.discard_after_sequence, key=attrgetter("sequence")
        )
        if first == len(self._shown):
            return
        self._take_back(attempt)
        kept, self._shown = self._shown[:first], []
        for piece in kept:
            self._add(piece)

    def _take_back(self, attempt: Attempt) -> None:
        width, height = shutil.get_terminal_size()
        up = rows("".join(piece.text for piece in self._shown), self.columns or width)
        if self._ansi() and up < (self.lines or height):
            self.out.write(f"\x1b[{up}A\r\x1b[J" if up else "\r\x1b[J")
        else:
            who = f"{attempt.provider}/{attempt.model}"
            self.out.write(f"\n--- the above is void: begun anew by {who} ---\n")

    def _ansi(self) -> bool:
        return self.out.isatty() if self.ansi is None else self.ansi


def _text(event: Event) -> str:
    if isinstance(event, ToolCallDelta):
        return f"{event.name}{event.arguments}"
    return event.reasoning or event.answer or event.refusal


def rows(text: str, columns: int) -> int:
    """How many rows below its first one a text ends, on a terminal of so many columns."""
    lines = text.split("\n")
    return len(lines) - 1 + sum(max(0, cells(line) - 1) // columns for line in lines)


def cells(line: str) -> int:
    """The columns a line takes: two for wide characters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in line
    )
