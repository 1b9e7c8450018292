"""How limits are told."""

from __future__ import annotations

import pytest

from sidecar.testing.telling import go_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0ms"), (0.012, "12ms"), (1.0, "1s"), (17.3999, "17.4s"), (60.0, "1m0s"),
     (360.0, "6m0s"), (90.5, "1m30.5s")],
)  # fmt: skip
def test_a_duration_is_written_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
