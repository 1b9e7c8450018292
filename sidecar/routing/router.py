"""The one choice: among everything that could serve, what is ready soonest, then what is best."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

NEVER = math.inf


class Option(msgspec.Struct, frozen=True):
    """One target with one key, from when it may be used (loop seconds), and what stands in the way.

    `rank` is the target's place in its route, best 0. `blocked_by` is empty when ready; otherwise
    the kind of obstacle ("bucket", "breaker", "key", "backoff") and its name, for people.
    """

    target: int
    key: int
    rank: int
    ready_at: float
    blocked_by: tuple[str, str] = ("", "")


def pick(options: Iterable[Option], now: float, patience_s: float) -> Option | None:
    """The option to wait for, or None if there is none that will ever be ready.

    A better rank is worth `patience_s` of waiting: within it, rank decides before time. The rule
    is a total order (time beyond patience, rank, time), so equal input gives equal choice.
    """
    best: Option | None = None
    best_order: tuple[float, int, float] | None = None
    for option in options:
        if option.ready_at == NEVER:
            continue
        order = (max(option.ready_at - now - patience_s, 0.0), option.rank, option.ready_at)
        if best_order is None or order < best_order:
            best, best_order = option, order
    return best
