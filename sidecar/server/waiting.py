"""What the requests in a queue wait for, as far as the state shows it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from sidecar.gateway.line import Line
from sidecar.keys.ring import Key, KeyRing
from sidecar.limits.bucket import Bucket
from sidecar.limits.store import BucketState


class Soonest(msgspec.Struct, frozen=True):
    """From when a target can be asked, over its keys (loop seconds), and what is in the way.

    `reason` is "" if nothing is; `bucket` names the bucket, if it is one.
    """

    ready_at: float
    reason: str = ""
    bucket: str = ""


def soonest_of(line: Line, ring: KeyRing, states: Mapping[str, BucketState], now: float) -> Soonest:
    """The soonest over the keys of one target; of a key whatever comes last."""
    breaker_at = line.breaker.ready_at(now)
    if breaker_at > now:
        return Soonest(breaker_at, "BREAKER_OPEN")
    keys = ring.keys(line.target.provider)
    if not keys:
        return Soonest(math.inf, "NO_KEY")
    return min((_of_key(line, key, ring, states, now) for key in keys), key=lambda s: s.ready_at)


def _of_key(
    line: Line, key: Key, ring: KeyRing, states: Mapping[str, BucketState], now: float
) -> Soonest:
    standing = ring.standing(key, line.target.model, now)
    cause = standing.cause.value if standing.cause is not None else ""
    found = Soonest(max(standing.ready_at, now), cause)
    for bucket in line.buckets(key, line.target.reasoning):
        free_at = _free_at(bucket, states, now)
        if free_at > found.ready_at:
            found = Soonest(free_at, "BUCKET_EMPTY", bucket.id)
    return found


def _free_at(bucket: Bucket, states: Mapping[str, BucketState], now: float) -> float:
    state = states.get(bucket.id)
    return now if state is None else state.next_free_at
