"""Calendar windows, over every change of clocks."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.limits.spend_window import NS_PER_S, Per, window_of

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_S = 3600
# Half hours, quarters, a change of 30 minutes, midnights that do not exist or exist twice.
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
         "America/Havana", "America/Sao_Paulo", "America/St_Johns", "Pacific/Apia",
         "Africa/Casablanca", "Asia/Beirut")  # fmt: skip
moments = st.integers(0, 4_000_000_000)


def ns(text: str, zone: ZoneInfo, fold: int = 0) -> int:
    local = datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)
    return int(local.timestamp()) * NS_PER_S


def hours(per: Per, text: str, zone: ZoneInfo) -> float:
    window = window_of(per, zone, ns(text, zone))
    return (window.end_ns - window.start_ns) / NS_PER_S / HOUR_S


@given(st.sampled_from(["hour", "day", "month"]), st.sampled_from(ZONES), moments)
@example("day", "America/St_Johns", 1_131_856_200)
@example("day", "Pacific/Apia", 1_325_239_200)
@example("hour", "Australia/Lord_Howe", 1_743_867_000)
def test_windows_lie_end_to_end_and_every_moment_is_in_one(per: Per, name: str, at_s: int) -> None:
    zone, at = ZoneInfo(name), at_s * NS_PER_S
    window = window_of(per, zone, at)
    assert window.start_ns <= at < window.end_ns
    assert window_of(per, zone, window.start_ns) == window
    assert window_of(per, zone, window.end_ns - 1) == window
    assert window_of(per, zone, window.end_ns).start_ns == window.end_ns
    assert window_of(per, zone, window.start_ns - 1).end_ns == window.start_ns


def test_a_day_begins_at_midnight_of_its_zone() -> None:
    window = window_of("day", BERLIN, ns("2026-07-01T15:00", BERLIN))
    assert window.start_ns == ns("2026-07-01T00:00", BERLIN)


@pytest.mark.parametrize(("text", "long"), [("2026-03-29T12:00", 23), ("2026-10-25T12:00", 25)])
def test_a_day_on_which_clocks_change_is_one_window(text: str, long: int) -> None:
    assert hours("day", text, BERLIN) == long


def test_the_hour_that_comes_twice_is_two_windows() -> None:
    once = window_of("hour", BERLIN, ns("2026-10-25T02:30", BERLIN))
    again = window_of("hour", BERLIN, ns("2026-10-25T02:30", BERLIN, fold=1))
    assert once.end_ns == again.start_ns


def test_a_month_ends_with_its_last_day() -> None:
    assert hours("month", "2028-02-29T23:59", BERLIN) == 29 * 24
