"""Oracles: a clock that is set by hand, and the plain reading of "burst + rate x window"."""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.limits.bucket import Bucket, Dimension
from sidecar.limits.store import Candidate


class HandClock:
    """A clock that only moves when told."""

    def __init__(self, now: float = 1000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def wall_ns(self) -> int:
        return round(self.time * 1e9)

    def move(self, seconds: float) -> None:
        self.time += seconds


def overrun(leaves: Iterable[tuple[float, float]], bucket: Bucket) -> float:
    """The most units by which any window exceeds burst + rate x window; <= 0 if none does.

    `leaves` are (seconds, units). The greatest sum over all windows that end at a leave is found
    by draining at the rate and filling at each leave, which is what the sentence means.
    """
    rate = bucket.limit / bucket.per_s
    level, last, worst = 0.0, 0.0, -float(bucket.burst)
    for at, units in sorted(leaves):
        level = max(level - (at - last) * rate, 0.0) + units
        last = at
        worst = max(worst, level - bucket.burst)
    return worst


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """The most of the half-open spans (from, to) that overlap."""
    edges = sorted([(end, -1) for _, end in spans] + [(begin, 1) for begin, _ in spans])
    level = worst = 0
    for _, step in edges:
        level += step
        worst = max(worst, level)
    return worst


def requests(
    name: str = "r", limit: int = 60, burst: int = 10, per_s: float = 60.0, pool: str = "p"
) -> Bucket:
    return Bucket(f"{pool}/a/*/{name}", pool, Dimension.REQUESTS, limit, per_s, burst)


def tokens(
    name: str = "t", limit: int = 6000, burst: int = 6000, per_s: float = 60.0, pool: str = "p"
) -> Bucket:
    return Bucket(f"{pool}/a/*/{name}", pool, Dimension.TOKENS, limit, per_s, burst)


def seats(name: str = "c", limit: int = 3, pool: str = "p") -> Bucket:
    return Bucket(f"{pool}/a/*/{name}", pool, Dimension.CONCURRENCY, limit)


def one(*buckets: Bucket, key: str = "k", ready_at: float = 0.0) -> Candidate:
    return Candidate(key, buckets, ready_at)
