"""What one pod may take on its own while the common store is away: its safe share. Pure.

Doorman's safe capacity: limit / number of pods. Nobody sees anybody else, so the shares must add
up to the limit whatever everybody does: the rate divided, the burst divided, and every share
beginning empty, because the others may have used the rest of the burst unseen.
"""

from __future__ import annotations

import math

import msgspec

from sidecar.limits.bucket import US, Bucket, Dimension

AHEAD_US = 1_000_000.0
"""Slots reserved ahead in the common store come due after it went away: no share before them."""


class Fleet(msgspec.Struct, frozen=True):
    """`pods` that share the limits; `rank` of this one among them, from 0, -1 if unknown."""

    pods: int
    rank: int = -1


def shared(bucket: Bucket, fleet: Fleet) -> Bucket | None:
    """This pod's part of `bucket`; None if it has none (then only the store can say yes).

    A burst or a number of seats smaller than the fleet cannot be divided: seats go to the first
    pods by rank; requests take turns (`turn_us`), one at a time.
    """
    pods = fleet.pods
    if bucket.dimension is Dimension.CONCURRENCY:
        seats = bucket.limit // pods or int(0 <= fleet.rank < bucket.limit)
        return msgspec.structs.replace(bucket, limit=seats) if seats else None
    burst = bucket.burst // pods or int(takes_turns(bucket, fleet))
    if not burst:
        return None
    return msgspec.structs.replace(bucket, per_s=bucket.per_s * pods, burst=burst)


def takes_turns(bucket: Bucket, fleet: Fleet) -> bool:
    """Is the burst too small to divide, but can the pods go one after the other?"""
    small = bucket.dimension is Dimension.REQUESTS and bucket.burst < fleet.pods
    return small and fleet.rank >= 0


def turn_us(bucket: Bucket, fleet: Fleet, now_us: float) -> float:
    """The pod's next turn, on the clock that all pods agreed on while the store was there.

    Turns are one interval of the whole bucket apart, so that the fleet together sends as one
    sender with burst 1 would.
    """
    interval = bucket.per_s * US / bucket.limit
    cycle = interval * fleet.pods
    first = interval * fleet.rank
    return first + math.ceil((now_us - first) / cycle) * cycle


def beginning_us(bucket: Bucket, now_us: float) -> float:
    """The TAT with which a share begins: empty, and past what was reserved ahead."""
    return now_us + bucket.burst * (bucket.per_s * US / bucket.limit) + AHEAD_US
