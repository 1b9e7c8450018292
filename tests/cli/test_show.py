"""Streams as people see them."""

from __future__ import annotations

import io

from headway import (
    AnswerDelta,
    Attempt,
    Cause,
    Continuation,
    Discarded,
    Event,
    ReasoningDelta,
    RefusalDelta,
    ToolCallDelta,
)
from hypothesis import given
from hypothesis import strategies as st

from sidecar.cli.show import Screen, Show, show_on, wrapped
from tests.cli.screen import Terminal

TEXT = st.lists(st.text("ab ", max_size=7), max_size=12)


def attempt(number: int, sequence: int, discard_after: int = 0, lost: str = "") -> Attempt:
    again = Continuation.RESTARTED if lost else Continuation.FRESH
    cause = Cause.FAILOVER if number > 1 else Cause.FIRST
    return Attempt(
        number, "p", f"m{number}", "k", cause, again, "STREAM_CUT" if number > 1 else "",
        discard_after, 0.0, Discarded(answer=lost), sequence,
    )  # fmt: skip


def screen(*events: Event, columns: int = 40, lines: int = 50) -> Terminal:
    return Terminal(written(*events, columns=columns, lines=lines), columns)


def written(*events: Event, columns: int = 40, lines: int = 50) -> str:
    out = io.StringIO()
    show = Screen(out, size=(columns, lines))
    for event in events:
        show.event(event)
    return out.getvalue()


def plain(*events: Event, hidden: frozenset[str] = frozenset()) -> str:
    out = io.StringIO()
    show = Show(out, hidden)
    for event in events:
        show.event(event)
    show.end_line()
    return out.getvalue()


def test_reasoning_is_dim_and_the_answer_bright() -> None:
    text = written(ReasoningDelta("hm", sequence=2), AnswerDelta("yes", 3))

    assert "\x1b[2mhm\x1b[0m" in text
    assert "\x1b[1myes\x1b[0m" in text


def test_texts_of_two_kinds_are_apart() -> None:
    assert screen(ReasoningDelta("hm", sequence=2), AnswerDelta("yes", 3)).lines == [
        "hm", "", "yes",
    ]  # fmt: skip


def test_every_attempt_has_a_line_of_its_own() -> None:
    lines = screen(attempt(1, 1), AnswerDelta("yes", 2), attempt(2, 3), AnswerDelta(" it is", 4))

    assert lines.lines == [
        "attempt 1: p/m1, key k",
        "yes",
        "attempt 2: p/m2, key k, failover after",
        "STREAM_CUT",
        "it is",
    ]


def test_words_are_not_broken_at_the_margin() -> None:
    shown = screen(*(AnswerDelta(f" word{n}", n) for n in range(2, 14)), columns=20)

    assert shown.lines == [
        " word2 word3 word4", "word5 word6 word7", "word8 word9 word10", "word11 word12 word13",
    ]  # fmt: skip


def test_a_restart_strikes_out_what_is_void_and_keeps_the_rest() -> None:
    shown = screen(
        attempt(1, 1), ReasoningDelta("kept", sequence=2), AnswerDelta("void", 3),
        attempt(2, 4, 2, "void"), AnswerDelta("new", 5), columns=90,
    )  # fmt: skip

    assert shown.struck == "void"
    assert shown.standing[:2] == ["attempt 1: p/m1, key k", "kept"]
    assert shown.standing[-2:] == ["above are void", "new"]


@given(TEXT, TEXT, st.integers(8, 60))
def test_what_stands_and_what_is_struck_is_what_came(
    void: list[str], new: list[str], columns: int
) -> None:
    """Whatever the texts and the width: the words are all there, none under the wrong sign."""
    first = [AnswerDelta(text, 2 + n) for n, text in enumerate(void)]
    lost = "".join(void)
    then = [AnswerDelta(text, 100 + n) for n, text in enumerate(new)]
    shown = screen(*first, attempt(2, 99, 1, lost), *then, columns=columns, lines=10_000)

    stands = "".join(shown.standing).replace(" ", "")
    assert shown.struck.replace(" ", "") == lost.replace(" ", "")
    assert stands.endswith("".join(new).replace(" ", ""))


def test_what_has_scrolled_away_is_told_not_struck() -> None:
    shown = screen(
        AnswerDelta("line\n" * 30, 2), attempt(2, 3, 1, "x" * 150), AnswerDelta("new", 4), lines=10
    )

    assert shown.struck == ""
    assert shown.lines[-1] == "new"
    assert any("150 characters" in line for line in shown.lines)


def test_a_second_restart_strikes_only_what_came_since() -> None:
    shown = screen(
        AnswerDelta("one", 2), attempt(2, 3, 1, "one"),
        AnswerDelta("two", 4), attempt(3, 5, 1, "two"), AnswerDelta("three", 6),
    )  # fmt: skip

    assert shown.struck == "onetwo"
    assert shown.standing[-1] == "three"


def test_another_streams_sequences_do_not_touch_the_first() -> None:
    out = io.StringIO()
    show = Screen(out, size=(40, 50))
    show.event(AnswerDelta("first", 9))
    show.begin()
    show.event(AnswerDelta("void", 2))
    show.event(attempt(2, 3, 1, "void"))

    assert Terminal(out.getvalue(), 40).struck == "void"


def test_in_a_pipe_kinds_are_named() -> None:
    text = plain(
        attempt(1, 1), ReasoningDelta("hm", sequence=2), AnswerDelta("y", 3), AnswerDelta("es", 4)
    )

    assert text == "attempt 1: p/m1, key k\n[reasoning] hm\n[answer] yes\n"


def test_in_a_pipe_a_restart_says_what_is_void() -> None:
    text = plain(AnswerDelta("old", 2), attempt(2, 3, 1, "old"), AnswerDelta("new", 4))

    assert "begins anew, 3 characters of answer above are void\n[answer] new\n" in text


def test_hidden_kinds_are_left_out() -> None:
    text = plain(
        ReasoningDelta("hm", sequence=2), AnswerDelta("yes", 3), hidden=frozenset({"answer"})
    )

    assert text == "[reasoning] hm\n"


def test_refusals_and_tool_calls_are_told_from_answers() -> None:
    text = plain(
        RefusalDelta("no", 2),
        ToolCallDelta(0, "c", "f", "{", 3),
        ToolCallDelta(0, arguments="}", sequence=4),
    )

    assert text == "[refusal] no\n[tool call] f {}\n"


def test_a_file_is_no_terminal() -> None:
    assert type(show_on(io.StringIO())) is Show


def test_wide_characters_take_two_columns() -> None:
    text, column = wrapped("東京 電車", 0, 6)

    assert (text, column) == ("東京\n電車", 4)
