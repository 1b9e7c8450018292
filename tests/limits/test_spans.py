from __future__ import annotations

import pytest

from sidecar.limits.spans import clock_s, moment_s, span_s

NOW_NS = 1_793_620_800_000_000_000  # 2026-11-02 12:00:00 UTC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("17.39s", 17.39),
        ("1h2m3.5s", 3723.5),
        ("1s", 1.0),
        ("250µs", 0.00025),
        ("", None),
        ("5", None),
        ("-5s", None),
        ("6m0", None),
        ("1e9s", None),
        ("soon", None),
    ],
)
def test_a_go_duration_is_read_or_left(text: str, seconds: float | None) -> None:
    assert span_s(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-02T12:00:30Z", 30.0),
        ("2026-11-02T13:01:00+01:00", 60.0),
        ("2026-11-02T11:00:00Z", 0.0),
        ("2026-11-02T12:00:01.5", 1.5),
        ("yesterday", None),
    ],
)
def test_a_moment_is_seconds_from_now(text: str, seconds: float | None) -> None:
    assert moment_s(text, NOW_NS) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("59.7", 59.7),
        ("2m59.56s", 179.56),
        ("2026-11-02T12:00:10Z", 10.0),
        ("1793620805", 5.0),
        ("1793620805500", 5.5),
        ("nan", None),
    ],
)
def test_a_reset_is_read_in_every_usual_form(text: str, seconds: float | None) -> None:
    assert clock_s(text, NOW_NS) == (None if seconds is None else pytest.approx(seconds))
