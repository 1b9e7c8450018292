"""A line: everything needed to call one target. And the world: all that a configuration says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from sidecar.core.target import Target
from sidecar.keys.ring import Key
from sidecar.limits.bucket import Bucket
from sidecar.providers.dialect import Dialect
from sidecar.providers.profiles import TargetProfile
from sidecar.routing.breaker import Breaker
from sidecar.routing.catalog import Catalog
from sidecar.upstream.http import Upstream


class Line(msgspec.Struct, frozen=True):
    """One target, ready to be called.

    `buckets(key, reasoning)` lists what a request of that class takes from with that key.
    `system` is the provider's name in telemetry; `propagate` sends it the trace context.
    """

    target: Target
    profile: TargetProfile
    dialect: Dialect
    upstream: Upstream
    breaker: Breaker
    buckets: Callable[[Key, bool], tuple[Bucket, ...]]
    system: str
    address: str
    port: int
    propagate: bool = False


class World(msgspec.Struct, frozen=True):
    """One version of the configuration, as the gateway sees it. Requests keep theirs to the end."""

    version: str
    catalog: Catalog
    line: Callable[[Target], Line]
    policy: Literal["least_wait", "round_robin"] = "least_wait"
    default_timeout_s: float = 600.0
    most_output_tokens: int = 4096
