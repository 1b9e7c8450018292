"""The blanks at the end of a prefix."""

from __future__ import annotations

import pytest

from sidecar.providers.blanks import Blanks


@pytest.mark.parametrize(
    ("prefix", "pieces", "new"),
    [
        ("it is ", (" warm",), "warm"),
        ("it is ", ("warm",), "warm"),
        ("it is", (" warm",), " warm"),
        ("one\n\n", ("\n", "\n", "two"), "two"),
        ("one\n\n", ("\ntwo",), "two"),
        ("one\n", ("\n\ntwo",), "\ntwo"),
        ("one ", ("\ntwo",), "\ntwo"),
        ("", (" a",), " a"),
    ],
)
def test_a_reply_does_not_repeat_the_blanks(prefix: str, pieces: tuple[str, ...], new: str) -> None:
    blanks = Blanks(prefix)
    assert "".join(blanks.feed(piece) for piece in pieces) == new
