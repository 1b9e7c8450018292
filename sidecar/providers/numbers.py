"""Numbers as providers write them: integers, floats, strings, nothing, or nonsense."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from sidecar.core.money import NANO_PER_USD

# No count beyond this is believed: it must fit a 64-bit column, sums included.
MAX_COUNT = 10**15
# xAI's unit of money: 1 tick = 1e-10 USD (checked against its price list).
TICKS_PER_NANO_USD = 10


def count(value: Any) -> int:
    """`value` as a count of at least 0; 0 where it is none."""
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    return 0 if value is None else known_count(value) or 0


def known_count(value: Any) -> int | None:
    """`value` as a count of at least 0, None where nothing was told."""
    if type(value) is int:
        number = value
    elif isinstance(value, float) and abs(value) <= MAX_COUNT:
        number = round(value)
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        number = int(value)
    else:
        return None
    return min(max(number, 0), MAX_COUNT)


def nano_usd(value: Any) -> int | None:
    """USD as a number or a string, in nano-USD rounded half up; None if it is no amount."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value)[:40])
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount < MAX_COUNT // NANO_PER_USD:
        return None
    return int(amount * NANO_PER_USD + Decimal("0.5"))


def ticks_nano_usd(value: Any) -> int | None:
    """An amount in xAI's ticks, in nano-USD rounded half up."""
    ticks = known_count(value)
    return None if ticks is None else (2 * ticks + TICKS_PER_NANO_USD) // (2 * TICKS_PER_NANO_USD)
