from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from sidecar.ledger.window import WORKDAYS, Window, days, wall_ns_of
from tests.ledger.making import at

HOUR_S = 3_600
BERLIN = ZoneInfo("Europe/Berlin")
# Berlin is UTC+1 in November and UTC+2 in July. The nights begin on working days only.
NIGHT = Window(22 * HOUR_S, 6 * HOUR_S, WORKDAYS, zone=BERLIN)
MORNING = Window(9 * HOUR_S, 12 * HOUR_S, WORKDAYS, frozenset({date(2026, 11, 3)}), BERLIN)


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        (MORNING, "2026-11-02T07:59:59", False),
        (MORNING, "2026-11-02T08:00:00", True),
        (MORNING, "2026-11-02T10:59:59", True),
        (MORNING, "2026-11-02T11:00:00", False),
        (MORNING, "2026-07-01T07:00:00", True),
        (MORNING, "2026-11-03T09:00:00", False),
        (MORNING, "2026-11-07T09:00:00", False),
        (NIGHT, "2026-11-02T20:59:59", False),
        (NIGHT, "2026-11-02T21:00:00", True),
        (NIGHT, "2026-11-03T04:59:59", True),
        (NIGHT, "2026-11-03T05:00:00", False),
        (NIGHT, "2026-07-01T20:00:00", True),
        # Friday's night reaches into Saturday, Sunday's is none.
        (NIGHT, "2026-11-07T04:00:00", True),
        (NIGHT, "2026-11-07T22:00:00", False),
        (NIGHT, "2026-11-09T04:00:00", False),
        (Window(), "2026-11-08T00:00:00", True),
        (Window(), "2026-11-08T23:59:59", True),
        (Window(days_off=frozenset({date(2026, 11, 2)})), "2026-11-02T12:00:00", False),
        (Window(days_off=frozenset({date(2026, 11, 2)})), "2026-11-03T00:00:00", True),
    ],
)
def test_a_window_covers_its_hours_on_its_days_in_its_zone(
    window: Window, moment: str, inside: bool
) -> None:
    assert window.covers(at(moment)) is inside


def test_a_moment_is_its_nanoseconds() -> None:
    assert wall_ns_of(datetime(1970, 1, 2, tzinfo=UTC)) == 86_400 * 10**9


def test_days_include_the_last() -> None:
    assert days(date(2026, 2, 28), date(2026, 3, 1)) == {date(2026, 2, 28), date(2026, 3, 1)}
