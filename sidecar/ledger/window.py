"""When a price is in force: weekly windows in a time zone, and days off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

import msgspec

NS_PER_S = 1_000_000_000
WORKDAYS = frozenset(range(5))
EVERY_DAY = frozenset(range(7))
DAY_S = 86_400


class Window(msgspec.Struct, frozen=True):
    """From `start_s` until before `end_s`, seconds of the local day in `zone`.

    On `weekdays` (Monday is 0), but not on `days_off`. A window with `end_s` not after `start_s`
    goes over midnight and belongs to the day on which it begins.
    """

    start_s: int = 0
    end_s: int = DAY_S
    weekdays: frozenset[int] = EVERY_DAY
    days_off: frozenset[date] = frozenset()
    zone: tzinfo = UTC

    def covers(self, wall_ns: int) -> bool:
        """Whether the moment is inside."""
        local = datetime.fromtimestamp(wall_ns // NS_PER_S, self.zone)
        second = local.hour * 3600 + local.minute * 60 + local.second
        today = local.date()
        if self.start_s < self.end_s:
            return self.start_s <= second < self.end_s and self._on(today)
        if second >= self.start_s:
            return self._on(today)
        return second < self.end_s and self._on(today - timedelta(days=1))

    def _on(self, day: date) -> bool:
        return day.weekday() in self.weekdays and day not in self.days_off


def wall_ns_of(moment: datetime) -> int:
    """Nanoseconds since the epoch of an aware datetime."""
    return round(moment.timestamp()) * NS_PER_S


def days(first: date, last: date) -> frozenset[date]:
    """All days from `first` to `last`, both included."""
    return frozenset(first + timedelta(days=number) for number in range((last - first).days + 1))
