"""The texts and the tokenizer."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.testing.texts import (
    DEMO,
    VOCABULARIES,
    input_tokens,
    pieces,
    rest_after,
    token_count,
    written,
)


@given(st.text())
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.text(), st.integers(0, 50))
def test_a_text_cut_between_two_tokens_counts_the_same(text: str, place: int) -> None:
    tokens = pieces(text)
    first, second = "".join(tokens[:place]), "".join(tokens[place:])
    assert pieces(first) + pieces(second) == tokens


@pytest.mark.parametrize("words", [0, 1, 9, 10, 11, 60, 1000])
def test_a_plain_word_is_one_token(words: int) -> None:
    whole = written(1, words, words)
    assert (token_count(whole.reasoning), token_count(whole.answer)) == (words, words)


@pytest.mark.parametrize("style", VOCABULARIES)
def test_a_seed_gives_one_text_and_another_gives_another(style: str) -> None:
    assert written(3, 60, 60, style) == written(3, 60, 60, style)
    assert written(3, 60, 60, style).answer != written(4, 60, 60, style).answer


def test_reasoning_and_answer_share_no_word() -> None:
    thoughts, words = (set(re.findall(r"\w+", text)) for text in VOCABULARIES["plain"])
    assert thoughts & words == set()


def test_the_unicode_style_has_characters_of_every_length() -> None:
    answer = written(0, 0, 200, "unicode").answer
    assert {len(character.encode()) for character in answer} == {1, 2, 3, 4}


def test_long_words_are_several_tokens() -> None:
    assert token_count(written(0, 0, 20, "long").answer) > 30


@given(st.integers(0, 500))
def test_the_rest_after_any_prefix_of_the_text_is_exact(place: int) -> None:
    answer = written(0, 0, 60, "unicode").answer
    assert answer[:place] + rest_after(answer, answer[:place]) == answer


def test_after_a_foreign_prefix_comes_as_much_less_as_it_had_tokens() -> None:
    answer = written(0, 0, 60).answer
    assert token_count(rest_after(answer, "three foreign words")) == 57


def test_a_prompt_costs_the_tokens_of_its_texts() -> None:
    assert input_tokens(["one two", "", "three"]) == 3


def test_the_demo_can_be_read() -> None:
    assert DEMO.answer.startswith("A headway is")
