"""Tool calls, however their provider numbers them."""

from __future__ import annotations

from sidecar.core.events import Delta, ToolCall
from sidecar.providers.merge import Merger
from sidecar.providers.tool_calls import ToolCalls

Piece = tuple[int | str | None, str, str, str]


def called(*pieces: Piece, whole: bool = True) -> list[Delta]:
    calls, out = ToolCalls(), Merger()
    for piece in pieces:
        calls.piece(out, *piece, "r1")
    calls.close(out, "r1", whole)
    return out.take()


def test_pieces_are_put_together_by_index() -> None:
    told = called((0, "a", "f", ""), (1, "b", "g", "{}"), (0, "", "", '{"x":1}'))
    assert told == [
        ToolCall(0, "a", "f", ""),
        ToolCall(1, "b", "g", "{}"),
        ToolCall(0, "", "", '{"x":1}'),
    ]


def test_indices_begin_at_zero_whatever_the_provider_says() -> None:
    assert called((1, "a", "f", "{}"), (7, "b", "g", "{}")) == [
        ToolCall(0, "a", "f", "{}"),
        ToolCall(1, "b", "g", "{}"),
    ]


def test_two_calls_of_one_function_are_two() -> None:
    assert called((0, "a", "f", "{}"), (1, "b", "f", "{}"))[1] == ToolCall(1, "b", "f", "{}")


def test_calls_without_an_index_go_by_their_id() -> None:
    told = called((None, "a", "f", ""), (None, "b", "g", "{}"), (None, "a", "", "{}"))
    assert told[-1] == ToolCall(0, "", "", "{}")


def test_calls_without_index_and_id_begin_with_their_name() -> None:
    told = called((None, "", "f", "{"), (None, "", "", "}"), (None, "", "g", "{}"))
    assert [(call.index, call.name, call.arguments) for call in told] == [
        (0, "f", "{}"),
        (1, "g", "{}"),
    ]


def test_a_call_without_an_id_gets_one() -> None:
    assert called((0, "", "f", "{}")) == [ToolCall(0, "call_r1_0", "f", "{}")]


def test_id_and_name_are_told_once() -> None:
    told = called((0, "a", "f", "{"), (0, "a", "f", "}"))
    assert told == [ToolCall(0, "a", "f", "{}")]


def test_an_empty_name_repeated_changes_nothing() -> None:
    assert called((0, "a", "f", "{"), (0, "", "", "}")) == [ToolCall(0, "a", "f", "{}")]


def test_arguments_wait_for_the_name() -> None:
    assert called((0, "a", "", "{"), (0, "", "f", "}")) == [ToolCall(0, "a", "f", "{}")]


def test_no_arguments_are_an_empty_object_once_the_call_is_whole() -> None:
    assert called((0, "a", "f", "")) == [ToolCall(0, "a", "f", "{}")]


def test_no_arguments_stay_none_where_the_call_was_cut() -> None:
    assert called((0, "a", "f", ""), whole=False) == [ToolCall(0, "a", "f", "")]


def test_a_server_that_numbers_all_calls_zero_is_understood() -> None:
    told = called((0, "a", "f", '{"x":1}'), (0, "b", "g", "{}"))
    assert told == [ToolCall(0, "a", "f", '{"x":1}'), ToolCall(1, "b", "g", "{}")]


def test_a_new_id_in_the_middle_of_arguments_is_the_same_call() -> None:
    told = called((0, "a", "f", '{"x"'), (0, "b", "f", ":1}"))
    assert told == [ToolCall(0, "a", "f", '{"x":1}')]
