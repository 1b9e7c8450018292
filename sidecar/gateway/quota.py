"""Which buckets an attempt takes from: those of its key, and of all keys with the same owner."""

from __future__ import annotations

from sidecar.gateway.line import Line
from sidecar.keys.ring import Key, KeyRing
from sidecar.limits.bucket import Bucket


def buckets_of(line: Line, ring: KeyRing, key: Key, reasoning: bool) -> tuple[Bucket, ...]:
    """What a request with `key` takes from, all or none.

    Keys of one owner share one quota, so limits that are written alike for several of them exist
    once; where they differ, each holds, and the tightest decides.
    """
    sharing = ring.sharing(key)
    if not sharing:
        return line.buckets(key, reasoning)
    found: dict[tuple[object, ...], Bucket] = {}
    for one in sharing:
        for bucket in line.buckets(one, reasoning):
            found.setdefault(_written(bucket, one), bucket)
    return tuple(found.values())


def _written(bucket: Bucket, key: Key) -> tuple[object, ...]:
    """The limit as it is written, whoever has it."""
    what = bucket.id.removeprefix(f"{key.provider}/{key.account}/").removesuffix(f"/{key.alias}")
    return what, bucket.dimension, bucket.limit, bucket.per_s, bucket.burst
