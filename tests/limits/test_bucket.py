from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.limits.bucket import Cost, Dimension, admitted_within, spaced, warning, window_safe
from tests.limits.meters import requests, seats


def test_60_a_minute_with_burst_120_lets_180_through_in_the_worst_minute() -> None:
    assert admitted_within(requests(limit=60, burst=120), 60) == 180


def test_a_window_of_nothing_admits_the_burst() -> None:
    assert admitted_within(requests(limit=60, burst=120), 0) == 120


def test_concurrency_admits_its_limit_in_any_window() -> None:
    assert admitted_within(seats(limit=7), 1e6) == 7


def test_a_large_burst_is_warned_about_with_its_numbers() -> None:
    assert "180" in warning(requests(limit=60, burst=120))


def test_a_small_burst_is_not_warned_about() -> None:
    assert warning(requests(limit=60, burst=6)) == ""


def test_60_a_minute_made_window_safe_is_burst_15_and_45_a_minute() -> None:
    assert window_safe(60, 60.0) == (45, 60.0, 15)


@given(st.integers(1, 10_000), st.one_of(st.none(), st.integers(1, 20_000)))
def test_window_safe_never_exceeds_the_limit_in_its_window(limit: int, burst: int | None) -> None:
    rate, per_s, kept = window_safe(limit, 60.0, burst)
    assert admitted_within(requests(limit=rate, per_s=per_s, burst=kept), 60.0) <= limit


def test_spacing_leaves_a_margin_of_one_and_the_jitter() -> None:
    bucket = spaced(requests(limit=600, burst=100), provider_burst=20, jitter_s=0.25)
    assert bucket.burst == 20 - 1 - 3


def test_a_provider_without_burst_gets_a_wider_spacing() -> None:
    bucket = spaced(requests(limit=60, burst=1), provider_burst=1, jitter_s=0.25)
    assert (bucket.burst, bucket.per_s / bucket.limit) == (1, 1.25)


@pytest.mark.parametrize(
    ("dimension", "units"),
    [
        (Dimension.REQUESTS, 1),
        (Dimension.TOKENS, 30),
        (Dimension.INPUT_TOKENS, 10),
        (Dimension.OUTPUT_TOKENS, 20),
        (Dimension.CONCURRENCY, 1),
    ],
)
def test_a_cost_has_units_in_every_dimension(dimension: Dimension, units: int) -> None:
    assert Cost(1, 10, 20).of(dimension) == units


@pytest.mark.parametrize(("limit", "burst", "per_s"), [(0, 1, 60.0), (1, 0, 60.0), (1, 1, 0.0)])
def test_a_bucket_that_could_never_admit_is_not_built(limit: int, burst: int, per_s: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        requests(limit=limit, burst=burst, per_s=per_s)
