"""What leaves together, and what never does."""

from __future__ import annotations

from sidecar.core.events import Answer, Reasoning, Refusal, ToolCall
from sidecar.providers.merge import Merger


def test_neighbours_of_one_phase_become_one() -> None:
    out = Merger()
    for text in "abc":
        out.answer(text)
    assert out.take() == [Answer("abc")]


def test_phases_keep_their_order() -> None:
    out = Merger()
    out.reasoning("a")
    out.answer("b")
    out.reasoning("c")
    assert out.take() == [Reasoning("a"), Answer("b"), Reasoning("c")]


def test_what_was_taken_is_gone() -> None:
    out = Merger()
    out.answer("a")
    out.take()
    assert out.take() == []


def test_empty_texts_are_nothing() -> None:
    out = Merger()
    out.reasoning("")
    out.answer("")
    out.refusal("")
    out.signature("")
    assert out.take() == []


def test_a_signature_goes_with_the_reasoning_before_it() -> None:
    out = Merger()
    out.reasoning("a")
    out.signature("s")
    out.answer("b")
    assert out.take() == [Reasoning("a", "s"), Answer("b")]


def test_a_signature_without_reasoning_goes_alone() -> None:
    out = Merger()
    out.answer("b")
    out.signature("s")
    assert out.take() == [Answer("b"), Reasoning("", "s")]


def test_a_later_signature_replaces_the_one_before() -> None:
    out = Merger()
    out.signature("s")
    out.signature("t")
    assert out.take() == [Reasoning("", "t")]


def test_pieces_of_one_call_are_joined() -> None:
    out = Merger()
    out.tool_call(0, "c", "f", "")
    out.tool_call(0, "", "", '{"a"')
    out.tool_call(0, "", "", ":1}")
    out.tool_call(1, "d", "g", "{}")
    assert out.take() == [ToolCall(0, "c", "f", '{"a":1}'), ToolCall(1, "d", "g", "{}")]


def test_pieces_of_a_refusal_are_joined() -> None:
    out = Merger()
    out.refusal("I ")
    out.refusal("won't")
    assert out.take() == [Refusal("I won't")]


def test_characters_are_counted_before_and_after_they_leave() -> None:
    out = Merger()
    out.reasoning("abc")
    assert out.chars() == (3, 0)
    out.answer("de")
    assert out.chars() == (3, 2)
    out.take()
    assert out.chars() == (3, 2)


def test_phases_that_were_seen_are_remembered() -> None:
    out = Merger()
    out.tool_call(0, "c", "f", "")
    out.take()
    assert (out.reasoned, out.answered, out.called, out.refused) == (False, False, True, False)
