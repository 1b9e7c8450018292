"""Bounds of time and use. They hold as measured, or when what the machine took is taken off; what
is told is what was measured, and beside it what was the machine's where that decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tests.faults.card import Check, measured

# Of a span of the loop's time: how long the machine kept the processes from running.
Starved = Callable[[float, float], float]
# A span of which the machine took all was one of no time at all, seconds.
MOMENT_S = 0.001
SHARE = 0.99


def in_time(what: str, bound_s: float, starved_s: Starved, begin: float, end: float) -> Check:
    """From one moment of the loop's time to another in no more than that."""
    return late_by(what, bound_s, end - begin, starved_s(begin, end))


def late_by(what: str, bound_s: float, took_s: float, starved_s: float) -> Check:
    """It took no longer than that."""
    if took_s <= bound_s:
        return measured(what, True, told(took_s))
    own_s = max(took_s - starved_s, 0.0)
    return measured(what, own_s <= bound_s, f"{told(took_s)}, the machine took {told(starved_s)}")


def nearly_all(what: str, bound_s: float, spans: Sequence[tuple[float, float]]) -> Check:
    """Of many (seconds, of them the machine's) the 99th percentile is no more than that."""
    took = sorted(took_s for took_s, _ in spans)
    own = sorted(max(took_s - starved_s, 0.0) for took_s, starved_s in spans)
    if not spans:
        return measured(what, False, "none")
    place = math.ceil(SHARE * len(spans)) - 1
    seen = f"p50 {told(took[len(took) // 2])}, p99 {told(took[place])} of {len(took)}"
    if took[place] <= bound_s:
        return measured(what, True, seen)
    return measured(what, own[place] <= bound_s, f"{seen}; p99 {told(own[place])} without what "
                    "the machine took")  # fmt: skip


def well_used(what: str, least: float, done: float, due_s: float, span_s: float,
              starved_s: float) -> Check:  # fmt: skip
    """`done` is at least that share of what was due in `span_s` at `due_s` a second."""
    used = done / (due_s * max(span_s, MOMENT_S))
    if used >= least:
        return measured(what, True, f"{used:.0%}")
    ran_s = max(span_s - starved_s, MOMENT_S)
    seen = f"{used:.0%}, the machine took {starved_s / span_s:.0%} of the time"
    return measured(what, done >= least * due_s * ran_s, seen)


def told(seconds: float) -> str:
    """A time for people."""
    return f"{seconds * 1e3:.1f} ms" if abs(seconds) < 1.0 else f"{seconds:.2f} s"
