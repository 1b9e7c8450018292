"""The bounds of the room: every buffer, list and pool has one."""

from __future__ import annotations

import msgspec


class WireLimits(msgspec.Struct, frozen=True):
    """How much a provider may make us hold. Sizes in bytes, times in seconds."""

    # 64 KiB of headers is h11's and nginx's order of magnitude; real providers send 1-4 KiB.
    head_bytes: int = 64 * 1024
    # Node and aiohttp stop at 100-2,000 headers; the fullest provider answer recorded has 40.
    headers: int = 256
    # Unread body at which reading the socket stops: asyncio reads at most this much at once.
    high_water_bytes: int = 256 * 1024
    # More idle connections than this to one origin are closed instead of kept.
    idle_per_origin: int = 256
    # Below the 60 s after which AWS load balancers drop an idle connection, the shortest usual one.
    idle_expiry_s: float = 55.0
    # The gateway's admission bounds streams; this only stops a leak from eating all descriptors.
    connections_per_origin: int = 4096
    # RFC 8305, section 5: the recommended delay before the next address is tried beside the first.
    next_address_delay_s: float = 0.25
