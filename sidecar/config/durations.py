"""Durations as people write them."""

from __future__ import annotations

import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def seconds(text: str | float) -> float:
    """`text` in seconds: 60s, 250ms, 1m30s, 2h, 90d, or a bare number of seconds.

    Raises ValueError, saying what was expected.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        value = float(text)
    else:
        value = _parsed(str(text).strip())
    if value < 0:
        raise ValueError("must not be negative")
    return value


def _parsed(text: str) -> float:
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    pieces = _PIECE.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        raise ValueError(f"expected a duration such as 60s, 250ms, 1m30s or 2h, got {text!r}")
    return sum(float(number) * UNITS[unit] for number, unit in pieces)
