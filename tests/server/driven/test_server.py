"""What a server does, whichever engine drives it; and what only the loop does."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from sidecar.testing import RunningProvider
from tests.server.driven.program import PIECE
from tests.server.driven.served import ROOT, Served, serving, stream, unary
from tests.support.configs import config
from tests.support.daemon import Daemon
from tests.support.fixtures import Start

pytestmark = pytest.mark.process

# What gRPC holds for a reader who does not read: its buffers, the sockets' and the windows'.
MOST_AHEAD_BYTES = 16 * 1024 * 1024
CALLER = """
import sys, grpc
call = grpc.insecure_channel(sys.argv[1]).unary_stream("/test.Raw/hold")(b"killed")
print(next(call), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", params=["loop", "aio"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """One server for all tests of the module."""
    with serving(request.param) as running:
        yield running


@pytest.fixture
def channel(served: Served) -> Iterator[grpc.Channel]:
    with served.channel() as line:
        yield line


def error_of(call: Any) -> Any:
    with pytest.raises(grpc.RpcError) as told:
        list(call)
    return told.value


# -- calls -----------------------------------------------------------------------------------


def test_the_server_is_the_engines_own(served: Served, request: pytest.FixtureRequest) -> None:
    names = {"loop": "LoopDrives", "aio": "GrpcDrives"}
    assert served.state()["engine"] == names[request.node.callspec.params["served"]]


def test_a_message_comes_back_with_metadata_in_the_trailers(channel: grpc.Channel) -> None:
    method = channel.unary_unary("/test.Raw/echo")
    answer, call = method.with_call(b"hello", metadata=(("x", "1"),))
    assert (answer, dict(call.trailing_metadata())["seen"]) == (b"hello", "1")


def test_a_stream_keeps_its_order_to_the_last_message(channel: grpc.Channel) -> None:
    call = stream(channel, "count", b"1000")
    assert list(call) == [b"%d" % number for number in range(1000)]
    assert dict(call.initial_metadata())["early"] == "yes"
    assert call.code() is grpc.StatusCode.OK


def test_requests_can_be_a_stream(channel: grpc.Channel) -> None:
    call = channel.stream_stream("/test.Raw/twice")(iter([b"a", b"b"]))
    assert list(call) == [b"aa", b"bb"]


def test_an_abort_carries_its_details(channel: grpc.Channel) -> None:
    error = error_of(stream(channel, "abort"))
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "nobody")
    assert dict(error.trailing_metadata())["why"] == "because"


def test_a_defect_of_a_handler_is_unknown_after_what_was_written(channel: grpc.Channel) -> None:
    call = stream(channel, "boom")
    assert next(call) == b"so far"
    assert error_of(call).code() is grpc.StatusCode.UNKNOWN


def test_a_method_that_nobody_serves_is_told_as_such(channel: grpc.Channel) -> None:
    assert error_of(stream(channel, "nothing")).code() is grpc.StatusCode.UNIMPLEMENTED


def test_both_addresses_serve_at_once(served: Served) -> None:
    with served.channel(served.unix) as one, served.channel(served.tcp) as other:
        held = stream(one, "hold", b"both")
        assert next(held) == b"held"
        assert unary(other, "echo", b"hello") == b"hello"
        held.cancel()


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_large_messages_come_whole(channel: grpc.Channel, compression: Any) -> None:
    message = bytes(range(256)) * 8192
    assert unary(channel, "echo", message, compression=compression) == message


def test_a_message_over_the_limit_is_refused(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as told:
        unary(channel, "echo", bytes(5 * 1024 * 1024))
    assert told.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


# -- ends ------------------------------------------------------------------------------------


def test_a_cancelled_call_ends_its_handler(served: Served, channel: grpc.Channel) -> None:
    call = stream(channel, "hold", b"cancelled")
    assert next(call) == b"held"
    call.cancel()
    served.until(lambda state: "cancelled" in state["ended"])


def test_a_passed_deadline_ends_its_handler(served: Served, channel: grpc.Channel) -> None:
    call = stream(channel, "hold", b"late", timeout=0.05)
    assert error_of(call).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    served.until(lambda state: "late" in state["ended"])


def test_a_client_that_is_killed_ends_its_handler(served: Served) -> None:
    command = [sys.executable, "-c", CALLER, served.unix]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as caller:
        assert caller.stdout is not None
        caller.stdout.readline()
        caller.kill()
    served.until(lambda state: "killed" in state["ended"])


def test_a_reader_who_stalls_stalls_only_its_own_stream(
    served: Served, channel: grpc.Channel
) -> None:
    before = served.state()["pieces"]
    stalled = stream(channel, "flood", b"stalled")
    next(stalled)
    for _ in range(100):
        assert unary(channel, "echo", b"hello") == b"hello"
    ahead = served.state()["pieces"] - before
    assert ahead * PIECE <= MOST_AHEAD_BYTES
    stalled.cancel()
    served.until(lambda state: "stalled" in state["ended"])


def test_a_reader_who_reads_on_gets_all_that_waited(served: Served, channel: grpc.Channel) -> None:
    flood = stream(channel, "flood", b"read on")
    for _ in range(500):
        assert len(next(flood)) == PIECE
    flood.cancel()
    served.until(lambda state: "read on" in state["ended"])


# -- many ------------------------------------------------------------------------------------


def test_connections_that_come_and_go_leave_nothing(served: Served) -> None:
    with served.channel() as line:
        unary(line, "echo")
    before = served.until(lambda state: not state["ticking"])["descriptors"]
    for _ in range(5):
        lines = [served.channel(served.tcp if n % 2 else served.unix) for n in range(20)]
        for line in lines:
            assert unary(line, "echo", b"hello") == b"hello"
        for line in lines:
            line.close()
    served.until(lambda state: state["descriptors"] <= before)


def test_a_hundred_connections_at_once_are_all_served(served: Served) -> None:
    lines = [served.channel(served.tcp if n % 2 else served.unix) for n in range(100)]
    held = [stream(line, "hold", b"one of many") for line in lines]
    assert [next(call) for call in held] == [b"held"] * len(lines)
    for line in lines:
        line.close()
    served.until(lambda state: state["ended"].count("one of many") == len(lines))


def test_thousands_of_streams_leave_neither_task_nor_descriptor(
    served: Served, channel: grpc.Channel
) -> None:
    assert len(list(stream(channel, "count", b"3"))) == 3
    before = served.state()
    for _ in range(30):
        calls = [stream(channel, "count", b"3") for _ in range(100)]
        assert [len(list(call)) for call in calls] == [3] * 100
    served.until(
        lambda state: (
            state["tasks"] <= before["tasks"] and state["descriptors"] <= before["descriptors"]
        )
    )


# -- the loop's own --------------------------------------------------------------------------


def test_an_idle_server_asks_nothing(served: Served, channel: grpc.Channel) -> None:
    assert unary(channel, "echo", b"hello") == b"hello"
    served.until(lambda state: not state["ticking"])
    assert unary(channel, "echo", b"again") == b"again"


def test_a_request_without_a_message_is_answered() -> None:
    """grpc.aio leaves such a caller without an answer."""
    with serving("loop") as served, served.channel() as line:
        call = line.stream_stream("/test.Raw/echo")(iter([]), timeout=20.0)
        assert error_of(call).code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("engine", ["loop", "aio"])
def test_a_stop_lets_running_calls_end_within_the_grace(engine: str) -> None:
    with serving(engine) as served, served.channel() as line:
        call = stream(line, "linger")
        assert next(call) == b"now"
        served.process.send_signal(signal.SIGTERM)
        assert list(call) == [b"later"]
        assert served.ends()["engine"]


@pytest.mark.parametrize("engine", ["loop", "aio"])
def test_a_stop_ends_the_calls_that_do_not_end(engine: str) -> None:
    with serving(engine) as served, served.channel() as line:
        call = stream(line, "hold", b"held on")
        assert next(call) == b"held"
        served.process.send_signal(signal.SIGTERM)
        code = error_of(call).code()
        assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        ended = served.ends()["ended"]
    assert engine == "aio" or ended == ["held on"]  # grpc.aio does not wait for its handlers


# -- the choice ------------------------------------------------------------------------------


async def test_a_daemon_whose_grpc_cannot_be_driven_falls_back_and_says_why(
    start: Start, folder: Any, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url), GRPC_POLL_STRATEGY="epoll1")
    assert "gRPC drives itself: gRPC waits for its listeners itself" in daemon.log


async def test_a_daemon_that_is_told_to_use_the_loop_and_cannot_does_not_start(
    folder: Any, provider: RunningProvider
) -> None:
    wanted = config(folder, provider.base_url, server={"engine": "loop"})
    daemon = Daemon(folder, wanted, GRPC_POLL_STRATEGY="epoll1")
    await daemon.launch()
    assert await daemon.wait() == 1
    assert (
        "server.engine: loop is not possible here: gRPC waits for its listeners itself"
        in daemon.log
    )


async def test_a_daemon_that_is_told_nothing_uses_the_loop(
    start: Start, folder: Any, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    assert "the loop drives gRPC" in daemon.log
