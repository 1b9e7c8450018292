from __future__ import annotations

import msgspec

from sidecar.upstream.limits import WireLimits


def test_every_bound_is_positive() -> None:
    assert all(value > 0 for value in msgspec.structs.asdict(WireLimits()).values())


def test_an_idle_connection_expires_before_the_providers_load_balancer_drops_it() -> None:
    assert WireLimits().idle_expiry_s < 60
