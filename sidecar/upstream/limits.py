"""The bounds of the room: every buffer, list and pool has one."""

from __future__ import annotations

import msgspec


class WireLimits(msgspec.Struct, frozen=True):
    """How much a provider may make us hold. Sizes in bytes, times in seconds."""

    # 64 KiB of headers is h11's and nginx's order of magnitude; real providers send 1-4 KiB.
    head_bytes: int = 64 * 1024
    # Node and aiohttp stop at 100-2,000 headers; the fullest provider answer recorded has 40.
    headers: int = 256
    # Unread body at which reading the socket stops. Models say some kilobytes a second: so much is
    # there only when nobody reads on, and then one more read of the loop comes on top.
    high_water_bytes: int = 32 * 1024
    # What a reader gets at most at once: whatever is made of it (events, a message, gRPC's copy)
    # stands in memory for as long as the caller does not read.
    read_bytes: int = 32 * 1024
    # What the kernel may hold of an answer that nobody reads; it takes twice that for its own
    # book-keeping. Left alone it comes to megabytes a stream (net.ipv4.tcp_rmem), which count as
    # the pod's memory. From 200 ms away it still lets in 640 KB a second.
    kernel_bytes: int = 128 * 1024
    # More idle connections than this to one origin are closed instead of kept.
    idle_per_origin: int = 256
    # Below the 60 s after which AWS load balancers drop an idle connection, the shortest usual one.
    idle_expiry_s: float = 55.0
    # The gateway's admission bounds streams; this only stops a leak from eating all descriptors.
    connections_per_origin: int = 4096
    # RFC 8305, section 5: the recommended delay before the next address is tried beside the first.
    next_address_delay_s: float = 0.25
