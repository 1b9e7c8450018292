"""The text so far, as the caller holds it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.events import Answer, Delta, Reasoning, Refusal, ToolCall
from sidecar.core.request import ToolUse
from sidecar.core.transcript import Phase, Transcript

WORDS = st.text("ab \N{SNOWMAN}", max_size=6)
DELTAS = st.lists(
    st.one_of(
        st.builds(Reasoning, WORDS, st.sampled_from(["", "", "sig"])),
        st.builds(Answer, WORDS),
        st.builds(Refusal, WORDS),
        st.builds(ToolCall, st.integers(0, 2), st.just("id"), st.just("name"), WORDS),
    ),
    max_size=20,
)


def told(*deltas: Delta) -> Transcript:
    transcript = Transcript()
    for delta in deltas:
        transcript.add(delta)
    return transcript


def contents(one: Transcript) -> tuple[object, ...]:
    return one.reasoning, one.signature, one.answer, one.refusal, one.tool_calls


def test_a_new_one_is_empty() -> None:
    assert Transcript().empty
    assert Transcript().phase is Phase.NOTHING
    assert Transcript().deltas() == []


def test_pieces_are_joined_by_kind() -> None:
    one = told(Reasoning("a"), Reasoning("b", "sig"), Answer("c"), Answer("d"))
    assert contents(one) == ("ab", "sig", "cd", "", ())


@pytest.mark.parametrize(
    ("delta", "phase"),
    [
        (Reasoning("x"), Phase.REASONING),
        (Answer("x"), Phase.ANSWER),
        (ToolCall(0, "1", "f"), Phase.TOOL_CALL),
        (Refusal("x"), Phase.REFUSAL),
    ],
)
def test_the_phase_is_that_of_the_newest_delta(delta: Delta, phase: Phase) -> None:
    assert told(Answer("before"), delta).phase is phase


@pytest.mark.parametrize("delta", [Reasoning(""), Answer(""), Refusal(""), Reasoning("", "sig")])
def test_a_delta_without_text_does_not_move_the_phase(delta: Delta) -> None:
    assert told(delta).phase is Phase.NOTHING
    assert told(ToolCall(0, "1", "f"), delta).phase is Phase.TOOL_CALL


def test_a_signature_alone_is_not_nothing() -> None:
    assert not told(Reasoning("", "sig")).empty


def test_tool_calls_are_told_in_the_order_of_their_index() -> None:
    one = told(
        ToolCall(1, "b", "second", "{"),
        ToolCall(0, "a", "first", '{"x"'),
        ToolCall(1, "", "", "}"),
        ToolCall(0, "", "", ":1}"),
    )
    assert one.tool_calls == (ToolUse("a", "first", '{"x":1}'), ToolUse("b", "second", "{}"))


def test_clearing_forgets_everything() -> None:
    one = told(Reasoning("a", "s"), Answer("b"), Refusal("c"), ToolCall(0, "1", "f", "{}"))
    one.clear()
    assert contents(one) == contents(Transcript())
    assert one.empty


@given(DELTAS)
def test_a_replay_says_the_same_in_the_fewest_deltas(deltas: list[Delta]) -> None:
    one = told(*deltas)
    again = told(*one.deltas())
    assert contents(again) == contents(one)
    assert len(one.deltas()) <= 3 + len(one.tool_calls)


@given(DELTAS)
def test_text_is_the_concatenation_of_its_pieces(deltas: list[Delta]) -> None:
    one = told(*deltas)
    assert one.answer == "".join(d.text for d in deltas if isinstance(d, Answer))
    assert one.reasoning == "".join(d.text for d in deltas if isinstance(d, Reasoning))
