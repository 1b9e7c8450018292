"""Blanks at the end of a prefix: cut before sending, because some targets refuse them."""

from __future__ import annotations


class Blanks:
    """Takes from the beginning of a reply what its prefix already ended with.

    The prefix was sent without its last blanks, so the reply may write them again; what it repeats
    of them is dropped, anything else passes.
    """

    __slots__ = ("_expected",)

    def __init__(self, prefix: str) -> None:
        self._expected = prefix[len(prefix.rstrip()) :]

    def feed(self, text: str) -> str:
        """The part of `text` that is new."""
        while self._expected and text:
            if text[0] != self._expected[0]:
                self._expected = ""
                break
            text, self._expected = text[1:], self._expected[1:]
        return text
