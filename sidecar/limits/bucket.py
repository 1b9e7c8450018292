"""What a limit is, and what it lets through. Pure: numbers in, numbers out.

A rate is kept as one number, the theoretical arrival time (TAT) of GCRA: the moment at which the
bucket would be full again. All times in this room's arithmetic are microseconds as doubles; the
memory store and the Lua script do the same operations in the same order, so that both decide
alike to the last bit.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable

import msgspec

US = 1_000_000.0


class Dimension(enum.Enum):
    """What is counted. TOKENS is input and output together."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    CONCURRENCY = "concurrency"


class Bucket(msgspec.Struct, frozen=True):
    """One limit. `limit` units per `per_s` seconds, at most `burst` at once.

    `id` is unique and holds no key material; `pool` is the home hash (the provider's name). For
    CONCURRENCY `limit` is the number in flight, `per_s` and `burst` mean nothing.
    """

    id: str
    pool: str
    dimension: Dimension
    limit: int
    per_s: float = 60.0
    burst: int = 0
    source: str = "config"

    def __post_init__(self) -> None:
        rate = self.dimension is not Dimension.CONCURRENCY
        if self.limit < 1 or (rate and (self.burst < 1 or not self.per_s > 0)):
            raise ValueError(f"bucket {self.id}: limit, burst and per_s must be positive")


class Cost(msgspec.Struct, frozen=True):
    """What a request takes: an estimate before, the actual use after.

    `requests` is 1, or 0 for "never reached the provider": then everything is given back.
    """

    requests: int = 1
    input_tokens: int = 0
    output_tokens: int = 0

    def of(self, dimension: Dimension) -> int:
        """Units of `dimension`; one seat of CONCURRENCY."""
        return AMOUNT[dimension](self)


AMOUNT: dict[Dimension, Callable[[Cost], int]] = {
    Dimension.REQUESTS: lambda cost: cost.requests,
    Dimension.TOKENS: lambda cost: cost.input_tokens + cost.output_tokens,
    Dimension.INPUT_TOKENS: lambda cost: cost.input_tokens,
    Dimension.OUTPUT_TOKENS: lambda cost: cost.output_tokens,
    Dimension.CONCURRENCY: lambda cost: 1,
}


def seconds(at_us: float) -> float:
    """The first moment in seconds that is not before `at_us`: whoever wakes then is not early."""
    at = at_us / US
    return at if at * US >= at_us else math.nextafter(at, math.inf)


def admitted_within(bucket: Bucket, window_s: float) -> int:
    """The most that may pass in any window of `window_s` seconds: burst + rate x window.

    Example: 60 per 60 s with burst 120 lets 180 through in the worst minute. For CONCURRENCY: the
    number in flight at any moment.
    """
    if bucket.dimension is Dimension.CONCURRENCY:
        return bucket.limit
    # A window closed at both ends: the small constant keeps 0.1 x 3 from losing a whole unit.
    return bucket.burst + math.floor(bucket.limit * window_s / bucket.per_s + 1e-9)


def warning(bucket: Bucket) -> str:
    """What is likely misunderstood about this limit, "" if nothing is."""
    if bucket.dimension is Dimension.CONCURRENCY:
        return ""
    most = admitted_within(bucket, bucket.per_s)
    # One request of margin is what a provider's own small burst forgives.
    if bucket.burst <= max(1, bucket.limit // 10):
        return ""
    return (
        f"{bucket.limit} per {bucket.per_s:g} s with burst {bucket.burst} lets {most} through in "
        f"the first {bucket.per_s:g} s; a provider that allows {bucket.limit} in that window "
        f"will refuse {most - bucket.limit}"
    )


def window_safe(
    limit: int, per_s: float, burst: int | None = None, jitter_s: float = 0.0
) -> tuple[int, float, int]:
    """(limit, per_s, burst) of a bucket that never has more than `limit` arrive in any window of
    `per_s`, however a provider lays its windows, if requests travel up to `jitter_s` longer than
    others: burst + rate x (window + jitter) <= limit.

    A quarter of the limit is burst unless `burst` says otherwise (60 per minute becomes burst 15
    and 45 per minute); the smaller the burst, the more of the limit is used. A limit of 1 becomes
    one per two windows: nothing else is safe.
    """
    if limit <= 1:
        return 1, 2 * per_s + jitter_s, 1
    kept = min(max(limit // 4, 1) if burst is None else burst, limit - 1)
    return limit - kept, per_s + jitter_s, max(kept, 1)


def spaced(bucket: Bucket, provider_burst: int, jitter_s: float) -> Bucket:
    """`bucket` with a burst that a provider of `provider_burst` forgives at `jitter_s` of delay.

    Our burst = provider's burst - 1 - ceil(rate x jitter) (limits, "distance and jitter"), or one
    where the provider's burst at least outlasts the jitter. Where nothing is left of it, one at a
    time with a spacing of 1/rate + jitter.
    """
    rate = bucket.limit / bucket.per_s
    burst = provider_burst - 1 - math.ceil(rate * jitter_s)
    if burst < 1 and provider_burst - rate * jitter_s >= 1:
        burst = 1
    if burst >= 1:
        return msgspec.structs.replace(bucket, burst=min(bucket.burst, burst))
    per_s = bucket.per_s + jitter_s * bucket.limit
    return msgspec.structs.replace(bucket, burst=1, per_s=per_s)
