"""What a person sees, on a terminal that this file plays."""

import io

from headway import AnswerDelta, Attempt, Cause, Continuation, ReasoningDelta, ToolCallDelta
from headway.terminal import Printer, cells, rows
from hypothesis import given
from hypothesis import strategies as st

COLUMNS = 10


def restart(sequence: int, discard_after: int) -> Attempt:
    return Attempt(
        2,
        "openai",
        "gpt",
        "o1",
        Cause.FAILOVER,
        Continuation.RESTARTED,
        "STREAM_CUT",
        discard_after,
        0.0,
        sequence=sequence,
    )


class Screen:
    """A terminal of ten columns: what it shows after the writes, styles left out."""

    def __init__(self, written: str) -> None:
        self.lines = [""]
        self.row = 0
        text = written.replace("\x1b[2m", "").replace("\x1b[0m", "")
        while text:
            text = self._step(text)

    def _step(self, text: str) -> str:
        if text.startswith("\x1b[J"):
            self.lines = [*self.lines[: self.row], ""]
            return text[3:]
        if text.startswith("\x1b["):
            up, rest = text[2:].split("A", 1)
            self.row -= int(up)
            return rest
        if text[0] == "\r":
            return text[1:]
        if text[0] == "\n" or len(self.lines[self.row]) == COLUMNS:
            self.row += 1
            self.lines.append("")
        if text[0] != "\n":
            self.lines[self.row] += text[0]
        return text[1:]


def shown(*events: Attempt | AnswerDelta | ReasoningDelta | ToolCallDelta, lines: int = 99) -> str:
    out = io.StringIO()
    printer = Printer(out, ansi=True, columns=COLUMNS, lines=lines)
    for event in events:
        printer.show(event)
    return out.getvalue()


def test_reasoning_is_dim_and_apart_from_the_answer() -> None:
    written = shown(ReasoningDelta("hm", sequence=2), AnswerDelta("Ray", 3))
    assert written == "\x1b[2mhm\x1b[0m\n\nRay"


@given(
    st.text("ab \n", max_size=40).filter(bool),
    st.text("ab \n", max_size=40).filter(bool),
    st.text("ab \n", max_size=40).filter(bool),
)
def test_a_restart_leaves_on_the_screen_what_would_be_there_without_it(
    kept: str, void: str, new: str
) -> None:
    broken = shown(AnswerDelta(kept, 2), AnswerDelta(void, 3), restart(4, 2), AnswerDelta(new, 5))
    direct = shown(AnswerDelta(kept, 2), AnswerDelta(new, 5))
    assert Screen(broken).lines == Screen(direct).lines


def test_a_resumed_attempt_writes_nothing() -> None:
    assert shown(AnswerDelta("one", 2), restart(3, 2)) == "one"


def test_what_scrolled_away_is_said_to_be_void() -> None:
    written = shown(AnswerDelta("a\nb\nc", 2), restart(3, 0), AnswerDelta("d", 4), lines=2)
    assert "begun anew by openai/gpt" in written
    assert written.endswith("---\nd")


def test_where_nothing_can_be_erased_the_kept_text_is_written_again() -> None:
    out = io.StringIO()
    printer = Printer(out)
    for event in (AnswerDelta("kept ", 2), AnswerDelta("void", 3), restart(4, 2)):
        printer.show(event)
    assert out.getvalue().startswith("kept void\n---")
    assert out.getvalue().endswith("---\nkept ")


def test_a_tool_call_is_shown_as_it_is_written() -> None:
    assert shown(ToolCallDelta(0, "c", "add", "{", 2), ToolCallDelta(0, "", "", "}", 3)) == "add{}"


def test_rows_count_wrapped_lines_and_wide_characters() -> None:
    assert [rows(text, 4) for text in ("", "abcd", "abcde", "a\nb", "漢字漢")] == [0, 0, 1, 1, 1]
    assert cells("e\u0301漢") == 3
