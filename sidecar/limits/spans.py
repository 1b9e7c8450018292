"""Spans and moments as providers write them, to seconds. Pure; None for what is not one."""

from __future__ import annotations

import re
from datetime import UTC, datetime

UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,12})?)(ms|us|µs|ns|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{0,12})?")
EPOCH_S = 1e9
"""A plain number above this is a moment (seconds since 1970), above 1e12 in milliseconds."""


def span_s(text: str) -> float | None:
    """A Go duration: 6m0s, 12ms, 17.39s, 1h2m3.5s."""
    if not _WHOLE.fullmatch(text):
        return None
    return sum(float(number) * UNIT_S[unit] for number, unit in _PART.findall(text))


def moment_s(text: str, wall_ns: int) -> float | None:
    """Seconds from now to an RFC 3339 moment; 0 if it is past."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(aware.timestamp() - wall_ns / 1e9, 0.0)


def clock_s(text: str, wall_ns: int) -> float | None:
    """A reset in any usual form: seconds, Go duration, RFC 3339, or seconds since 1970."""
    if not _NUMBER.fullmatch(text):
        span = span_s(text)
        return moment_s(text, wall_ns) if span is None else span
    number = float(text)
    if number < EPOCH_S:
        return number
    return max((number / 1000.0 if number > EPOCH_S * 1000 else number) - wall_ns / 1e9, 0.0)
