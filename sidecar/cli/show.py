"""Streams for people: reasoning dim, answer bright, a line for each attempt.

What a restart makes void is taken back: on a terminal it is struck out where it stands, and what
has scrolled away is told of; elsewhere a line says it.
"""

from __future__ import annotations

import re
import shutil
from typing import TextIO

import msgspec
from headway import (
    Attempt,
    Event,
    ReasoningDelta,
    RefusalDelta,
    ToolCallDelta,
)
from headway.terminal import cells, rows

from sidecar.cli.words import attempt_line

RESET = "\x1b[0m"
STYLES = {
    "reasoning": "\x1b[2m",
    "answer": "\x1b[1m",
    "refusal": "\x1b[1;33m",
    "tool call": "\x1b[35m",
    "void": "\x1b[2;9m",
    "note": "\x1b[36m",
    "good": "\x1b[32m",
    "bad": "\x1b[1;31m",
    "title": "\x1b[1;4m",
    "plain": "",
}
# Lines of text longer than this are hard to read.
WIDEST = 100
NOTE = "note"
NEVER = 0
_WORDS = re.compile(r"\n|[^\S\n]*\S+|[^\S\n]+")


def kind_of(event: Event) -> str:
    """The kind of text that a delta adds to."""
    if isinstance(event, ReasoningDelta):
        return "reasoning"
    if isinstance(event, RefusalDelta):
        return "refusal"
    return "tool call" if isinstance(event, ToolCallDelta) else "answer"


def text_of(event: Event) -> str:
    if isinstance(event, ToolCallDelta):
        return f"{event.name} {event.arguments}" if event.name else event.arguments
    return event.reasoning or event.answer or event.refusal


class Show:
    """Writes a stream to `out` as plain lines; `hidden` kinds of text are left out.

    Belongs to one conversation; lines of others may stand between its streams (`note`).
    """

    def __init__(self, out: TextIO, hidden: frozenset[str] = frozenset()) -> None:
        self._out = out
        self._hidden = hidden
        self._kind = ""
        self._in_line = False

    def begin(self) -> None:
        """Another stream begins: sequences count anew."""

    def event(self, event: Event) -> None:
        """Write what the event adds; say, or take back, what it makes void."""
        if isinstance(event, Attempt):
            if event.discarded:
                self.take_back(event.discard_after_sequence)
            self.note(attempt_line(event))
        elif (text := text_of(event)) and kind_of(event) not in self._hidden:
            self.text(kind_of(event), text, event.sequence)
        self._out.flush()

    def note(self, text: str, style: str = "note") -> None:
        """A line of its own."""
        self.end_line()
        self._out.write(f"{text}\n")
        self._kind = ""
        self._out.flush()

    def text(self, kind: str, text: str, sequence: int) -> None:
        """A piece of a text of some kind."""
        if kind != self._kind:
            self.end_line()
            self._out.write(f"[{kind}] ")
        self._kind = kind
        self._in_line = True
        self._out.write(text)

    def take_back(self, after_sequence: int) -> None:
        """What came after this is void. Here the attempt's own line says so."""

    def end_line(self) -> None:
        """Whatever comes next begins at the left margin."""
        if self._in_line:
            self._out.write("\n")
        self._in_line = False


class Piece(msgspec.Struct, frozen=True):
    """Something written, and where it stands. Notes have the kind NOTE and the sequence NEVER.

    `laid` is the text as it was written from `column` on, with its line ends.
    """

    kind: str
    style: str
    text: str
    sequence: int
    laid: str = ""
    column: int = 0


class Screen(Show):
    """Writes a stream to a terminal that understands ANSI. The margin must be at the left."""

    def __init__(
        self,
        out: TextIO,
        hidden: frozenset[str] = frozenset(),
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(out, hidden)
        self._size = size
        self._pieces: list[Piece] = []
        self._column = 0

    def begin(self) -> None:
        self.end_line()
        self._pieces = []

    def note(self, text: str, style: str = "note") -> None:
        self._put(Piece(NOTE, style, text, NEVER))
        self._out.flush()

    def text(self, kind: str, text: str, sequence: int) -> None:
        self._put(Piece(kind, kind, text, sequence))

    def end_line(self) -> None:
        if self._column:
            self._out.write("\n")
        self._column = 0

    def take_back(self, after_sequence: int) -> None:
        """Strike out what is void, if it can still be seen."""
        void = [piece for piece in self._pieces if piece.sequence > after_sequence]
        if not void:
            return
        first = self._pieces.index(void[0])
        tail, self._pieces = self._pieces[first:], self._pieces[:first]
        if not self._back_to(tail):
            self.end_line()
            self._pieces = []
            return
        for piece in tail:
            style = "void" if piece.sequence > after_sequence else piece.style
            self._put(Piece(piece.kind, style, piece.text, NEVER))

    def _back_to(self, tail: list[Piece]) -> bool:
        """Put the cursor where `tail` begins and clear from there; False if it is out of sight."""
        columns, lines = self._dimensions()
        column = tail[0].column
        up = rows(" " * column + "".join(piece.laid for piece in tail), columns)
        if up >= lines:
            return False
        self._out.write(f"\x1b[{up}A" if up else "")
        self._out.write("\r" + (f"\x1b[{column}C" if column else "") + "\x1b[J")
        self._column = column
        return True

    def _put(self, piece: Piece) -> None:
        columns, _ = self._dimensions()
        gap, text = self._gap(piece.kind), self._fresh(piece)
        body, column = wrapped(text, 0 if gap else self._column, min(columns, WIDEST))
        end = "\n" if piece.kind == NOTE else ""
        self._out.write(f"{gap}{STYLES[piece.style]}{body}{RESET}{end}")
        laid = gap + body + end
        self._pieces.append(msgspec.structs.replace(piece, laid=laid, column=self._column))
        self._column = 0 if end else column

    def _gap(self, kind: str) -> str:
        """What stands between the last piece and one of this kind."""
        if not self._column or not self._pieces or self._pieces[-1].kind == kind:
            return ""
        return "\n" if kind == NOTE else "\n\n"

    def _fresh(self, piece: Piece) -> str:
        """The text without the blank before its first word, where it goes on below a note."""
        if self._column or not self._pieces or self._pieces[-1].kind != NOTE:
            return piece.text
        return piece.text.removeprefix(" ")

    def _dimensions(self) -> tuple[int, int]:
        return self._size or shutil.get_terminal_size()


def wrapped(text: str, column: int, width: int) -> tuple[str, int]:
    """`text` broken between words where it begins at `column`; and the column where it ends."""
    out = []
    for word in _WORDS.findall(text):
        if word == "\n":
            out.append(word)
            column = 0
            continue
        size = cells(word)
        if column and column + size > width:
            out.append("\n")
            word = word.lstrip()
            column, size = 0, cells(word)
        out.append(word)
        column += size
    return "".join(out), column


def show_on(out: TextIO, plain: bool = False, hidden: frozenset[str] = frozenset()) -> Show:
    """The kind of show that `out` can take."""
    return Screen(out, hidden) if out.isatty() and not plain else Show(out, hidden)
