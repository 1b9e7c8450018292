"""How commands end."""

from __future__ import annotations

import pytest

from sidecar.cli.ending import Failed, complain, told
from sidecar.config.load import Problem


def test_a_complaint_goes_to_standard_error_and_returns_the_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = complain("this happened", "do that", code=7)

    assert (code, capsys.readouterr()) == (7, ("", "headway: this happened\n  do that\n"))


def test_problems_have_their_path_where_they_have_one() -> None:
    assert told([Problem("a.b", "is wrong"), Problem("", "line 3: twice")]) == [
        "a.b: is wrong",
        "line 3: twice",
    ]


def test_a_failure_reads_as_its_lines() -> None:
    assert str(Failed("one", "two")) == "one\ntwo"
