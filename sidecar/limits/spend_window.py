"""Calendar windows of budgets: hours, days and months of a time zone. Pure.

Windows lie end to end: every moment is in exactly one, whatever the zone's clocks do. A day of 23
or 25 hours is one window; where clocks that change cut an hour short, so is its window.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

Per = Literal["hour", "day", "month"]

NS_PER_S = 1_000_000_000
HOUR_S = 3600


class Window(msgspec.Struct, frozen=True):
    """From `start_ns` until before `end_ns`, wall nanoseconds."""

    start_ns: int
    end_ns: int


def window_of(per: Per, zone: ZoneInfo, wall_ns: int) -> Window:
    """The window that `wall_ns` lies in."""
    start_s, end_s = FINDERS[per](zone, wall_ns // NS_PER_S)
    return Window(start_s * NS_PER_S, end_s * NS_PER_S)


def _hour(zone: ZoneInfo, at_s: int) -> tuple[int, int]:
    """From minute 0 to minute 0 on the zone's clock, or to where the clock changes."""
    offset = _offset(zone, at_s)
    start = (at_s + offset) // HOUR_S * HOUR_S - offset
    end = start + HOUR_S
    if _offset(zone, start) != offset:
        start = _change(zone, start, at_s)
    if _offset(zone, end - 1) != offset:
        end = _change(zone, at_s, end - 1)
    return start, end


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second with the offset of `after`, between two with different ones."""
    offset = _offset(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            after = middle
        else:
            before = middle
    return after


def _offset(zone: ZoneInfo, at_s: int) -> int:
    offset = datetime.fromtimestamp(at_s, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _day(zone: ZoneInfo, at_s: int) -> tuple[int, int]:
    return _between(zone, at_s, lambda day: day, lambda day: day + timedelta(days=1))


def _month(zone: ZoneInfo, at_s: int) -> tuple[int, int]:
    def following(day: date) -> date:
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

    return _between(zone, at_s, lambda day: day.replace(day=1), following)


def _between(
    zone: ZoneInfo, at_s: int, first: Callable[[date], date], following: Callable[[date], date]
) -> tuple[int, int]:
    day = first(datetime.fromtimestamp(at_s, zone).date())
    end = _midnight(zone, following(day))
    # A clock that is put back over midnight shows the day before once more: it has ended already.
    while end <= at_s:
        day = following(day)
        end = _midnight(zone, following(day))
    return _midnight(zone, day), end


def _midnight(zone: ZoneInfo, day: date) -> int:
    """When `day` begins: the first of two midnights, or the end of the gap that swallowed it."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(local.astimezone(UTC).timestamp())


FINDERS: dict[Per, Callable[[ZoneInfo, int], tuple[int, int]]] = {
    "hour": _hour,
    "day": _day,
    "month": _month,
}
