"""Malformed, oversize and hostile input, from callers and from providers: typed errors, no harm."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from headway import HeadwayError
from headway.v1 import completion_pb2, message_pb2, request_pb2

from sidecar.testing import RunningProvider, written
from tests.support.configs import config
from tests.support.daemon import PATIENCE_S, Daemon
from tests.support.fixtures import Start
from tests.support.messages import asking

pytestmark = pytest.mark.process
ENGINES = ("loop", "aio")

TEXT = written(0, 0, 60).answer
MIB = 1024 * 1024
# Of what a provider sends without end, so much may show in the daemon's memory, bytes.
MOST_GROWTH = 40 * MIB

GARBAGE = {
    "zeros": bytes(100_000),
    "noise": bytes((7 * n * n + 3 * n) % 256 for n in range(100_000)),
    "an HTTP/1 request": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an endless header": b"POST / HTTP/1.1\r\nX: " + b"x" * 1_000_000,
    "a preface and nonsense": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 10_000,
    "a frame of 16 MiB": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x00\x00\x00\x00\x00\x01",
}


async def assert_healthy(daemon: Daemon) -> None:
    async with daemon.client() as client:
        assert (await client.complete("default", "Hello.", timeout_s=20.0)).answer == TEXT


async def send_raw(daemon: Daemon, data: bytes) -> None:
    """Say it, hang up our side, and listen until the daemon hangs up too."""
    reader, writer = await asyncio.open_unix_connection(str(daemon.socket))
    try:
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S):
            await reader.read()
    except ConnectionError:
        pass  # it hung up in the middle: as good
    finally:
        writer.close()


async def test_garbage_on_the_socket_harms_nobody(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    for data in GARBAGE.values():
        await send_raw(daemon, data)
    await assert_healthy(daemon)


def request(**fields: Any) -> bytes:
    wanted = asking("default", **fields)
    return completion_pb2.StreamCompletionRequest(completion=wanted).SerializeToString()


def many_messages() -> bytes:
    completion = asking("default")
    for _ in range(10_000):
        completion.messages.add().CopyFrom(completion.messages[0])
    return completion_pb2.StreamCompletionRequest(completion=completion).SerializeToString()


def unknown_role() -> bytes:
    completion = request_pb2.Completion(model="default", messages=[message_pb2.Message(role=99)])  # type: ignore[arg-type]
    return completion_pb2.StreamCompletionRequest(completion=completion).SerializeToString()


def bottomless(levels: int = 5000) -> bytes:
    """A Struct in a Struct in a Struct, as no serializer writes it: lengths from the inside out."""
    inner = b""
    for _ in range(levels):
        value = field(5, inner)
        entry = field(1, b"a") + field(2, value)
        inner = field(1, entry)
    number = request_pb2.Completion.DESCRIPTOR.fields_by_name["provider_options"].number
    plain = asking("default").SerializeToString()
    return field(3, plain + field(number, inner))


def field(number: int, content: bytes) -> bytes:
    """A field of bytes in protobuf's wire format."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


async def error_of(daemon: Daemon, data: bytes, *metadata: tuple[str, str]) -> grpc.aio.AioRpcError:
    """How the daemon refuses these bytes as a StreamCompletionRequest."""
    async with daemon.channel() as channel:
        call = channel.unary_stream("/headway.v1.CompletionService/StreamCompletion")
        with pytest.raises(grpc.aio.AioRpcError) as told:
            async for _ in call(data, timeout=PATIENCE_S, metadata=metadata):
                pass
    return told.value


REFUSED = {
    "20 MiB": (lambda: request(caller="x" * 20 * MIB), grpc.StatusCode.RESOURCE_EXHAUSTED),
    "10,001 messages": (many_messages, grpc.StatusCode.INVALID_ARGUMENT),
    "an unknown role": (unknown_role, grpc.StatusCode.INVALID_ARGUMENT),
    "an unknown priority": (lambda: request(priority=99), grpc.StatusCode.INVALID_ARGUMENT),
    "no message": (lambda: b"", grpc.StatusCode.INVALID_ARGUMENT),
    "bytes that are no message": (lambda: b"\xff" * 64, grpc.StatusCode.INVALID_ARGUMENT),
    "a bottomless Struct": (bottomless, grpc.StatusCode.INVALID_ARGUMENT),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_hostile_request_gets_a_typed_error(
    start: Start, folder: Path, provider: RunningProvider, name: str
) -> None:
    make, code = REFUSED[name]
    daemon = await start(config(folder, provider.base_url))
    error = await error_of(daemon, make())
    assert error.code() is code
    assert "Error parsing" not in (error.details() or "")
    await assert_healthy(daemon)


async def test_huge_metadata_is_refused(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    error = await error_of(daemon, request(), ("x-long", "x" * 200_000))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await assert_healthy(daemon)


# What each fault of a provider may end with. A stream may survive an event that is no UTF-8.
HOSTILE = {
    "huge-60000000": {"ATTEMPTS_EXHAUSTED", "STREAM_BROKEN"},
    "endless-60000000": {"ATTEMPTS_EXHAUSTED", "STREAM_BROKEN"},
    "deep-100000": {"ATTEMPTS_EXHAUSTED", "STREAM_BROKEN"},
    "badbytes-3": {"ATTEMPTS_EXHAUSTED", "STREAM_BROKEN", ""},
    "falsegzip": {"ATTEMPTS_EXHAUSTED"},
    "redirect": {"ATTEMPTS_EXHAUSTED"},
    "html": {"ATTEMPTS_EXHAUSTED"},
}


@pytest.mark.parametrize("fault", HOSTILE)
async def test_a_hostile_provider_costs_a_typed_error_and_no_memory(
    start: Start, folder: Path, provider: RunningProvider, fault: str
) -> None:
    daemon = await start(config(folder, provider.base_url))
    await assert_healthy(daemon)
    before = daemon.rss_bytes
    reason = ""
    async with daemon.client() as client:
        try:
            await client.complete(f"deepseek/fake-60+{fault}", "Hello.", timeout_s=PATIENCE_S)
        except HeadwayError as error:
            reason = error.reason
    assert reason in HOSTILE[fault]
    assert daemon.rss_bytes - before < MOST_GROWTH
    await assert_healthy(daemon)
