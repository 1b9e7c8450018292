"""A stream's rate: slow is found after one window, silence and packed events are not slow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.failover.pace import PAUSE_S, Pace

WINDOW_S = 10.0


def drip(gap_s: float, pieces: int, count: int, chars: int = 4) -> Pace:
    """`count` reads, `gap_s` apart, of so many pieces with `chars` characters each."""
    pace = Pace(WINDOW_S)
    for number in range(count):
        pace.heard((number + 1) * pieces, pieces * chars, 100.0 + number * gap_s)
    return pace


def test_less_than_a_window_has_no_rate() -> None:
    assert drip(gap_s=1.0, pieces=1, count=10).rate() is None


def test_a_drip_of_a_token_a_second_is_one_token_a_second_after_one_window() -> None:
    assert drip(gap_s=1.0, pieces=1, count=11).rate() == pytest.approx(1.0)


def test_a_healthy_stream_has_its_own_rate() -> None:
    assert drip(gap_s=0.01, pieces=1, count=1500).rate() == pytest.approx(100.0, rel=0.01)


def test_many_tokens_in_one_event_are_told_by_their_text() -> None:
    assert drip(gap_s=1.0, pieces=1, count=11, chars=400).rate() == pytest.approx(100.0)


def test_a_long_thought_between_two_bursts_is_not_slow() -> None:
    pace = Pace(WINDOW_S)
    at, pieces = 0.0, 0
    for _ in range(10):
        for _ in range(50):
            at, pieces = at + 0.01, pieces + 1
            pace.heard(pieces, 4, at)
        at += 12.0
    rate = pace.rate()
    assert rate is not None
    assert rate > 15.0


def test_drops_with_long_pauses_are_slow_all_the_same() -> None:
    rate = drip(gap_s=6.0, pieces=1, count=10).rate()
    assert rate is not None
    assert rate <= 1.0 / PAUSE_S


def test_a_stream_that_becomes_slow_is_found_after_one_window_more() -> None:
    pace = drip(gap_s=0.01, pieces=1, count=2000)
    for second in range(1, 12):
        pace.heard(2000 + second, 4, 120.0 + second)
    rate = pace.rate()
    assert rate is not None
    assert rate < 5.0


def test_what_a_caller_takes_its_time_to_read_is_not_the_targets() -> None:
    pace = Pace(WINDOW_S)
    for number in range(30):
        pace.heard(number + 1, 4, number * 10.0)
        pace.listening(number * 10.0 + 9.99)
    assert pace.rate() is None


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.integers(1, 50)), max_size=200))
def test_a_rate_is_never_below_what_all_of_the_time_holds_or_negative(
    reads: list[tuple[float, int]],
) -> None:
    pace, at, pieces = Pace(WINDOW_S), 0.0, 0
    for gap_s, more in reads:
        at, pieces = at + gap_s, pieces + more
        pace.heard(pieces, 0, at)
        rate = pace.rate()
        assert rate is None or rate >= 1.0 / PAUSE_S / 2
