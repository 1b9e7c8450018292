"""Durations."""

from __future__ import annotations

import pytest

from sidecar.config.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("60s", 60.0),
        ("250ms", 0.25),
        ("1m30s", 90.0),
        ("2h", 7_200.0),
        ("90d", 7_776_000.0),
        ("1.5s", 1.5),
        ("5", 5.0),
        (5, 5.0),
        (0.25, 0.25),
        (" 1m ", 60.0),
    ],
)
def test_durations_are_read_as_people_write_them(text: str | float, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "fast", "5 parsec", "s", "1m 30s", "-5s", "10S", "1e3s", True]
)
def test_what_is_no_duration_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 60s"):
        seconds(text)


def test_a_duration_is_not_negative() -> None:
    with pytest.raises(ValueError, match="negative"):
        seconds(-1.0)
