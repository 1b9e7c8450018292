"""Numbers as providers write them."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.providers.numbers import MAX_COUNT, count, known_count, nano_usd, ticks_nano_usd


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(7, 7), (7.0, 7), ("7", 7), (0, 0), (-3, 0), (10**30, MAX_COUNT)],
)
def test_a_count_is_read(value: Any, wanted: int) -> None:
    assert known_count(value) == wanted


@pytest.mark.parametrize(
    "value", [None, True, "", "seven", "-1", [], {}, float("inf"), float("nan"), "٣"]
)
def test_what_is_no_count_is_not_told(value: Any) -> None:
    assert known_count(value) is None
    assert count(value) == 0


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.001156, 1_156_000),
        ("0.00637625", 6_376_250),
        (8.725e-05, 87_250),
        (0, 0),
        (0.0000000005, 1),
        (0.0000000004, 0),
    ],
)
def test_dollars_become_nano_dollars(value: Any, wanted: int) -> None:
    assert nano_usd(value) == wanted


@pytest.mark.parametrize("value", [None, True, "free", {}, float("nan"), float("inf"), -1, 1e30])
def test_what_is_no_amount_is_none(value: Any) -> None:
    assert nano_usd(value) is None


def test_ticks_become_nano_dollars() -> None:
    assert ticks_nano_usd(3_080_400) == 308_040
    assert ticks_nano_usd(5) == 1
    assert ticks_nano_usd(None) is None
