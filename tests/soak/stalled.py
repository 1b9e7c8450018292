"""Readers that do not read: long streams pile up nowhere but with the provider."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from pathlib import Path

import msgspec
from headway import AsyncClient, AsyncStream

from sidecar.gateway.journal import EACH_BYTES, MOST_AHEAD
from sidecar.testing import RunningProvider, written
from sidecar.upstream.limits import WireLimits
from tests.soak.caller import QUESTION, ROUTE
from tests.soak.load import KIB, MIB, at, house
from tests.support.daemon import Daemon
from tests.upstream.certificates import make_authority

# Three megabytes, in events of 64 tokens: the fake provider is written in Python, and token by
# token it took minutes to fill the buffers of five hundred readers.
TARGET = "deepseek/fake-100000+ms-0+style-long+batch-64"
BRISK, BRISK_WORDS, BRISK_CALLS = "brisk", 20, 10
# Neither kernel nor caller is to take in the whole text for a reader who does not read: of
# provider's the kernel, and of the client the window of HTTP/2, which grows by itself to megabytes.
SEND_BUFFER_BYTES = 64 * KIB
NARROW = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 64 * KIB))
# A provider that sent nothing to anybody for so long waits for all of them, seconds. What each of
# them must have been sent by then: more than the client's window takes.
STILL_S, LOOK_S, PATIENCE_S = 3.0, 0.25, 300.0
FULL_BYTES = 128 * KIB
GROUP = 25

LIMITS = WireLimits()
# What one read of the loop brings (uvloop's buffer), and what a call is besides its text.
LOOP_READ_BYTES, CALL_BYTES = 256 * KIB, 64 * KIB
# What was read last stands there as event (four bytes a character, if one of them is an emoji), as
# message, its bytes and gRPC's copy of them.
COPIES = 4 + 3
# The stated bound of docs/resilience.md: unread, in hand, the call itself.
BOUND_BYTES = LIMITS.high_water_bytes + LOOP_READ_BYTES + COPIES * LIMITS.read_bytes + CALL_BYTES
# With a request_id there is the tape too, which one batch more may overfill.
TAPE_BYTES = EACH_BYTES + MOST_AHEAD + 2 * LIMITS.read_bytes
# With TLS, what is still encrypted, and the buffer in which the loop decrypts (uvloop: 256 KiB).
TLS_BYTES = LIMITS.high_water_bytes + LOOP_READ_BYTES + 256 * KIB


class Kind(msgspec.Struct, frozen=True):
    """What kind of stream stalls. `ids`: each has a request_id, so that it runs for itself. `tls`:
    so the provider is spoken to. `engine`: what drives gRPC."""

    ids: bool = False
    tls: bool = False
    engine: str = "auto"

    @property
    def bound_bytes(self) -> int:
        return BOUND_BYTES + TAPE_BYTES * self.ids + TLS_BYTES * self.tls


@dataclass(frozen=True, slots=True)
class Figures:
    """The daemon's memory before and with the readers, and how a brisk reader fared both times.

    `stalled`: attempts that still ran. `least_sent_bytes`: to the one who had got least.
    """

    readers: int
    before_bytes: int
    held_bytes: int
    bound_bytes: int
    stalled: int
    least_sent_bytes: int
    most_sent_bytes: int
    brisk_before_s: float
    brisk_beside_s: float

    @property
    def each_bytes(self) -> float:
        return (self.held_bytes - self.before_bytes) / self.readers

    def __str__(self) -> str:
        return (
            f"{self.stalled} of {self.readers} readers stalled: resident "
            f"{self.before_bytes / MIB:.1f} -> {self.held_bytes / MIB:.1f} MiB, "
            f"{self.each_bytes / KIB:.0f} KiB each (bound {self.bound_bytes / KIB:.0f}); the "
            f"provider had sent {self.least_sent_bytes / KIB:.0f} to "
            f"{self.most_sent_bytes / KIB:.0f} KiB to each; a brisk reader took p50 "
            f"{1000 * self.brisk_before_s:.0f} ms before, {1000 * self.brisk_beside_s:.0f} ms "
            "beside them"
        )


async def run(folder: Path, readers: int, kind: Kind) -> Figures:
    """Let so many stall, wait until nothing moves any more, and look."""
    sections = {
        "routes": {
            ROUTE: {"targets": [TARGET]},
            BRISK: {"targets": [f"deepseek/fake-{BRISK_WORDS}+ms-5"]},
        },
        "server": {"engine": kind.engine},
    }
    authority = make_authority(folder) if kind.tls else None
    async with (
        house(
            folder, send_buffer_bytes=SEND_BUFFER_BYTES, authority=authority, **sections
        ) as (daemon, provider),
        daemon.client() as brisk,
        AsyncClient(daemon.target, options=NARROW) as client,
    ):  # fmt: skip
        before_s = await _brisk(brisk)
        before = daemon.rss_bytes
        stalled = await _stall(client, readers, kind.ids)
        held = await _settled(daemon, provider)
        sent = _sent(provider)
        beside_s = await _brisk(brisk)
        running = provider.provider.journal.running
        for stream in stalled:
            stream.close()
    least, most = min(sent), max(sent)
    bound = kind.bound_bytes
    return Figures(readers, before, held, bound, running, least, most, before_s, beside_s)


async def _stall(client: AsyncClient, readers: int, ids: bool) -> list[AsyncStream]:
    """Each reads its first event, and no more. They come in groups: how fast a provider accepts
    connections is not the question here."""
    streams: list[AsyncStream] = []
    while len(streams) < readers:
        group = [_begun(client, ids) for _ in range(min(GROUP, readers - len(streams)))]
        for stream in group:
            await anext(stream)
        streams += group
    return streams


def _begun(client: AsyncClient, ids: bool) -> AsyncStream:
    request_id = str(uuid.uuid4()) if ids else None
    return client.stream(ROUTE, QUESTION, timeout_s=3 * PATIENCE_S, request_id=request_id)


async def _settled(daemon: Daemon, provider: RunningProvider) -> int:
    """The most it came to, once the provider could send nothing more."""
    loop = asyncio.get_running_loop()
    most, sent, since = 0, -1, loop.time()
    async with asyncio.timeout(PATIENCE_S):
        while loop.time() < since + STILL_S:
            most = max(most, daemon.rss_bytes)
            now = sum(_sent(provider))
            if now != sent:
                sent, since = now, loop.time()
            await asyncio.sleep(LOOK_S)
    return most


async def _brisk(client: AsyncClient) -> float:
    """The median of some calls, seconds; each gets its text."""
    took = []
    for _ in range(BRISK_CALLS):
        answer = await client.complete(BRISK, QUESTION, timeout_s=60.0)
        assert answer.answer == written(0, 0, BRISK_WORDS).answer
        took.append(answer.timings.total_s or 0.0)
    return at(0.5, took)


def _sent(provider: RunningProvider) -> list[int]:
    """To each who reads a long one."""
    model = TARGET.partition("/")[2]
    return [entry.sent_bytes for entry in provider.log if entry.model == model]
