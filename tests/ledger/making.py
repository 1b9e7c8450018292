"""Entries, prices and moments for tests, and a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sidecar.core.events import AttemptCause, Continuation, Outcome, Saved
from sidecar.core.money import Cost, Price, price_per_million
from sidecar.core.usage import Usage
from sidecar.ledger.entry import Entry
from sidecar.ledger.window import wall_ns_of

# Monday 2026-11-02, 12:00 UTC.
NOON_NS = 1_793_620_800_000_000_000


class StillClock:
    """A clock that shows what it is told."""

    def __init__(self, wall_ns: int = NOON_NS) -> None:
        self._wall_ns = wall_ns

    def now(self) -> float:
        return 0.0

    def wall_ns(self) -> int:
        return self._wall_ns


def entry(number: int = 1, **changes: Any) -> Entry:
    """A finished attempt; `number` makes it different from others."""
    values: dict[str, Any] = {
        "request_id": f"request-{number}",
        "attempt": 1,
        "started_ns": NOON_NS,
        "ended_ns": NOON_NS + number,
        "provider": "deepseek",
        "model": "deepseek-v4-pro",
        "account": "team-a",
        "key_alias": "a1",
        "cause": AttemptCause.FIRST,
        "continuation": Continuation.FRESH,
        "outcome": Outcome.COMPLETED,
        "usage": Usage(100 + number, 40, 10, 60, 50),
        "cost": Cost(1_000 + number, 20, 3),
        "tier": "deepseek off-peak",
        "response_model": "deepseek-v4-pro",
        "caller": "checkout",
        "labels": (("team", "shop"), ('odd "name"', "x")),
        "route": "default",
        "duration_s": 1.5,
        "first_reasoning_s": 0.25,
        "first_answer_s": None,
        "saved": Saved(1, 2, 3),
    }
    return Entry(**(values | changes))


def usd(inp: str, out: str, cached: str | None = None, written: str | None = None) -> Price:
    """A price in dollars per million tokens."""
    return Price(
        price_per_million(inp),
        price_per_million(out),
        None if cached is None else price_per_million(cached),
        None if written is None else price_per_million(written),
    )


def at(text: str) -> int:
    """Wall nanoseconds of an ISO moment in UTC."""
    return wall_ns_of(datetime.fromisoformat(text).replace(tzinfo=UTC))
