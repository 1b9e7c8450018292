"""Think tags, whole and cut."""

from __future__ import annotations

import pytest

from sidecar.providers.think import ThinkMode, ThinkSplitter


def split(mode: ThinkMode, *pieces: str) -> tuple[str, str]:
    splitter = ThinkSplitter(mode)
    told = [splitter.feed(piece) for piece in pieces] + [splitter.end()]
    return "".join(reasoning for reasoning, _ in told), "".join(answer for _, answer in told)


CASES: dict[str, tuple[ThinkMode, str, str, str]] = {
    "tags at the start": ("auto", "<think>why</think>so", "why", "so"),
    "blanks before the tag": ("auto", "\n <think>why</think>so", "why", "so"),
    "blanks inside are kept": ("auto", "<think>\nwhy\n</think>\n\nso", "\nwhy\n", "\n\nso"),
    "no tag at all": ("auto", "so it is", "", "so it is"),
    "a tag later is text": ("auto", "use <think>x</think>", "", "use <think>x</think>"),
    "something like a tag": ("auto", "<thin air>", "", "<thin air>"),
    "blanks alone": ("auto", " \n", "", " \n"),
    "a tag never closed": ("auto", "<think>why", "why", ""),
    "an inner opening tag": ("auto", "<think>a<think>b</think>c", "a<think>b", "c"),
    "a lone closing tag is text": ("auto", "</think>so", "", "</think>so"),
    "the other tag": ("auto", "<thought>why</thought>so", "why", "so"),
    "only its own closing tag closes": (
        "auto",
        "<think>a</thought>b</think>c",
        "a</thought>b",
        "c",
    ),
    "opened by the template": ("open", "why</think>so", "why", "so"),
    "opened twice": ("open", "<think>why</think>so", "why", "so"),
    "opened and never closed": ("open", "why", "why", ""),
    "empty thought": ("auto", "<think></think>so", "", "so"),
    "off": ("off", "<think>why</think>so", "", "<think>why</think>so"),
    "half a closing tag": ("auto", "<think>a</thi", "a</thi", ""),
    "half an opening tag": ("auto", "<thi", "", "<thi"),
}


@pytest.mark.parametrize("name", CASES)
def test_reasoning_and_answer_are_told_apart(name: str) -> None:
    mode, text, reasoning, answer = CASES[name]
    assert split(mode, text) == (reasoning, answer)


@pytest.mark.parametrize("name", CASES)
def test_every_cut_tells_the_same(name: str) -> None:
    mode, text, reasoning, answer = CASES[name]
    for first in range(len(text)):
        for second in range(first, len(text)):
            pieces = text[:first], text[first:second], text[second:]
            assert split(mode, *pieces) == (reasoning, answer), pieces


def test_many_blanks_are_given_out_at_some_point() -> None:
    splitter = ThinkSplitter("auto")
    assert splitter.feed(" " * 1000) == ("", " " * 1000)


def test_text_is_not_held_back_longer_than_a_tag_needs() -> None:
    splitter = ThinkSplitter("auto")
    splitter.feed("<think>")
    assert splitter.feed("why</thin") == ("why", "")
    assert splitter.feed("g") == ("</thing", "")


def test_after_the_thought_everything_passes() -> None:
    splitter = ThinkSplitter("auto")
    splitter.feed("<think>why</think>so")
    assert splitter.passing


def test_reasoning_in_its_own_field_means_the_text_is_the_answer() -> None:
    splitter = ThinkSplitter("open")
    splitter.told_elsewhere()
    assert splitter.feed("so") == ("", "so")


def test_a_closing_tag_that_leaks_out_of_a_template_is_dropped() -> None:
    for text in ("</think>so", "\n</think>so"):
        for cut in range(len(text)):
            splitter = ThinkSplitter("open")
            splitter.told_elsewhere()
            told = [splitter.feed(text[:cut]), splitter.feed(text[cut:]), splitter.end()]
            assert "".join(answer for _, answer in told) == "so"
