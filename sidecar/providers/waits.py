"""How long a provider asks to be left alone, in all the ways it may be written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

NANO_PER_S = 1_000_000_000
# Nobody is believed who asks for more than this; a quota that long is a matter for a human.
MAX_WAIT_S = 31 * 86_400.0

_UNIT_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|us|ns|d|h|m|s)")
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,12})?(?:ms|us|ns|d|h|m|s))+")
_WORDING = re.compile(
    r"(?:try again|retry|wait)\D{0,24}?"
    r"((?:\d{1,12}(?:\.\d{1,12})?\s?(?:ms|milliseconds?|minutes?|min|seconds?|sec|hours?|m|s|h))"
    r"(?:\d{1,12}(?:\.\d{1,12})?(?:ms|m|s))*)",
    re.IGNORECASE,
)
_LONG_UNIT = (
    (re.compile(r"\s?milliseconds?", re.IGNORECASE), "ms"),
    (re.compile(r"\s?(?:minutes?|min)\b", re.IGNORECASE), "m"),
    (re.compile(r"\s?(?:seconds?|sec)\b", re.IGNORECASE), "s"),
    (re.compile(r"\s?hours?", re.IGNORECASE), "h"),
)


def retry_after_s(headers: Mapping[str, str], wall_ns: int) -> float | None:
    """The largest explicit wait of the headers, in seconds; None if they name none."""
    found = [
        _scaled(headers.get("retry-after-ms", ""), 1e-3),
        _retry_after(headers.get("retry-after", ""), wall_ns),
    ]
    return largest(*found)


def reset_s(headers: Mapping[str, str], wall_ns: int) -> float | None:
    """Until the exhausted windows of the rate headers refill, in seconds; None if none is told.

    Counts only windows whose `remaining` is 0: OpenAI's style (Go durations), Anthropic's
    (RFC 3339 dates) and OpenRouter's (milliseconds of the Unix clock).
    """
    found: list[float | None] = []
    for name, value in headers.items():
        if "ratelimit" not in name or "reset" not in name:
            continue
        left = headers.get(name.replace("reset", "remaining"), "").strip()
        if left in ("0", "0.0"):
            found.append(duration_s(value))
            found.append(_rfc3339(value, wall_ns))
            found.append(_unix(value, wall_ns))
    return largest(*found)


def duration_s(text: str) -> float | None:
    """`6m0s`, `12ms`, `17.4s`, `48s` in seconds; None if `text` is not wholly a duration."""
    text = text.strip()[:64]
    if not _DURATION.fullmatch(text):
        return None
    return _bounded(sum(float(n) * _UNIT_S[unit] for n, unit in _PART.findall(text)))


def worded_s(message: str) -> float | None:
    """The wait that an error message asks for in words ("try again in 5.289s")."""
    found = _WORDING.search(message[:2000])
    if found is None:
        return None
    text = found.group(1)
    for pattern, unit in _LONG_UNIT:
        text = pattern.sub(unit, text)
    return duration_s(text.replace(" ", "").lower())


def largest(*waits: float | None) -> float | None:
    """The largest wait that is one."""
    return max((wait for wait in waits if wait is not None), default=None)


def _retry_after(text: str, wall_ns: int) -> float | None:
    seconds = _scaled(text, 1.0)
    if seconds is not None or not text:
        return seconds
    try:
        then = parsedate_to_datetime(text[:64]).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return duration_s(text)
    return _bounded(then - wall_ns / NANO_PER_S)


def _rfc3339(text: str, wall_ns: int) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip()[:40])
        if moment.tzinfo is None:
            return None
        return _bounded(moment.timestamp() - wall_ns / NANO_PER_S)
    except (ValueError, OverflowError, OSError):
        return None


def _unix(text: str, wall_ns: int) -> float | None:
    """A moment of the Unix clock, in seconds or milliseconds; smaller numbers are no moment."""
    if not (text.isascii() and text.isdigit() and 10 <= len(text) <= 13):
        return None
    return _bounded(int(text) / (1000 if len(text) == 13 else 1) - wall_ns / NANO_PER_S)


def _scaled(text: str, scale: float) -> float | None:
    try:
        return _bounded(float(text) * scale)
    except ValueError:
        return None


def _bounded(seconds: float) -> float | None:
    if math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), MAX_WAIT_S)
