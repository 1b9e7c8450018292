"""A connection that breaks, a daemon that is not there (yet), and joining a stream again."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from headway import AsyncClient, Client, HeadwayError, Stream
from headway.v1 import completion_pb2

from . import peer
from .peer import Daemon, Relay

WHOLE = [peer.first(), peer.answer(2, "one "), peer.answer(3, "two"), peer.completed(4)]


@pytest.fixture(autouse=True)
def two_messages_then_silence_then_the_rest(daemon: Daemon) -> None:
    """The daemon's side of a break: the first call says two messages, the next one the rest."""

    def silence(request: Any, context: Any) -> None:
        daemon.ended.wait(peer.PATIENCE_S)

    daemon.scripts = [
        peer.play_then(*WHOLE[:2], then=silence),
        lambda request, context: iter(WHOLE[request.after_sequence :]),
    ]


def read_two_and_cut(stream: Stream, relay: Relay) -> None:
    next(stream)
    assert next(stream).answer == "one "
    relay.cut()


def test_a_broken_stream_is_joined_again_and_no_word_is_lost_or_doubled(
    daemon: Daemon, relay: Relay, line: str
) -> None:
    with Client(line) as client, client.stream("default", "Why?", reattach=True) as stream:
        read_two_and_cut(stream, relay)
        assert stream.read().answer == "one two"
    first, second = daemon.requests
    assert first.request_id == second.request_id == stream.request_id != ""
    assert first.after_sequence == 0
    assert first.completion == second.completion


async def test_a_broken_stream_is_joined_again_in_asyncio_too(
    daemon: Daemon, relay: Relay, line: str
) -> None:
    async with (
        AsyncClient(line) as client,
        client.stream("default", "Why?", reattach=True) as stream,
    ):
        await anext(stream)
        assert (await anext(stream)).answer == "one "
        relay.cut()
        assert (await stream.read()).answer == "one two"
    assert len(daemon.requests) == 2


def test_joining_again_keeps_to_the_first_deadline(daemon: Daemon, relay: Relay, line: str) -> None:
    first_part = daemon.scripts[0]

    def late(request: Any, context: Any) -> Any:
        while context.time_remaining() > 29.9:
            daemon.ended.wait(0.01)
        yield from first_part(request, context)

    daemon.scripts[0] = late
    with (
        Client(line) as client,
        client.stream("default", "Why?", timeout_s=30, reattach=True) as stream,
    ):
        read_two_and_cut(stream, relay)
        stream.read()
    assert daemon.remaining_s[1] is not None
    assert daemon.remaining_s[1] < 29.91


def test_a_seam_after_a_re_attach_reaches_back_over_the_break(
    daemon: Daemon, relay: Relay, line: str
) -> None:
    daemon.scripts[1] = peer.play(
        peer.attempt(3, 2, "FAILOVER", "RESTARTED", 0), peer.answer(4, "anew"), peer.completed(5)
    )
    with Client(line) as client, client.stream("default", "Why?", reattach=True) as stream:
        read_two_and_cut(stream, relay)
        assert stream.read().answer == "anew"


def test_without_re_attach_a_break_is_an_error_with_what_was_delivered(
    daemon: Daemon, relay: Relay, line: str
) -> None:
    with Client(line) as client:
        stream = client.stream("default", "Why?")
        assert stream.request_id == ""
        read_two_and_cut(stream, relay)
        with pytest.raises(HeadwayError) as caught:
            stream.read()
    assert caught.value.reason == "DAEMON_UNREACHABLE"
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert caught.value.result.answer == "one "
    assert len(daemon.requests) == 1


def test_a_daemon_that_forgot_the_request_leaves_the_first_error_standing(
    daemon: Daemon, relay: Relay, line: str
) -> None:

    def forgot(request: Any, context: Any) -> None:
        info = error_details_pb2.ErrorInfo(reason="NOT_REPLAYABLE", domain="headway.dev")
        peer.abort(context, grpc.StatusCode.FAILED_PRECONDITION, "who?", info)

    daemon.scripts[1] = peer.play_then(then=forgot)
    with Client(line) as client, client.stream("default", "Why?", reattach=True) as stream:
        read_two_and_cut(stream, relay)
        with pytest.raises(HeadwayError) as caught:
            stream.read()
    assert caught.value.reason == "DAEMON_UNREACHABLE"
    assert caught.value.result.answer == "one "
    assert isinstance(caught.value.__cause__, HeadwayError)
    assert caught.value.__cause__.reason == "NOT_REPLAYABLE"


def test_a_line_that_only_breaks_is_given_up(daemon: Daemon, relay: Relay, line: str) -> None:
    def breaks(request: Any, context: Any) -> Any:
        relay.cut()
        yield from ()

    daemon.scripts = [breaks]
    with Client(line) as client, pytest.raises(HeadwayError, match="DAEMON_UNREACHABLE"):
        client.stream("default", "Why?", reattach=True).read()
    assert len(daemon.requests) <= 6


def test_another_process_joins_a_stream_by_its_request_id(daemon: Daemon, local: str) -> None:
    daemon.scripts = [peer.play(peer.answer(3, "two"), peer.completed(4))]
    with Client(local) as client:
        stream = client.stream("default", "Why?", request_id="an-id", after_sequence=2)
        assert stream.read().answer == "two"
    assert (daemon.requests[0].request_id, daemon.requests[0].after_sequence) == ("an-id", 2)


def test_after_sequence_without_request_id_is_refused_at_once(local: str) -> None:
    with Client(local) as client, pytest.raises(ValueError, match="request_id"):
        client.stream("default", "Why?", after_sequence=2)


def test_a_daemon_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with Client(f"unix://{tmp_path}/nobody.sock", reconnect_s=0) as client:
        with pytest.raises(HeadwayError, match="DAEMON_UNREACHABLE"):
            client.complete("default", "Why?", reattach=True)
        with pytest.raises(HeadwayError, match="DAEMON_UNREACHABLE"):
            client.stream("default", "Why?", reattach=True).read()


async def test_a_daemon_that_does_not_come_within_reconnect_s_is_told_as_such(
    tmp_path: Path,
) -> None:
    async with AsyncClient(f"unix://{tmp_path}/nobody.sock", reconnect_s=0.1) as client:
        with pytest.raises(HeadwayError, match="DAEMON_UNREACHABLE"):
            await client.complete("default", "Why?", reattach=True)
        with pytest.raises(HeadwayError, match="DAEMON_UNREACHABLE"):
            await client.stream("default", "Why?", reattach=True).read()


async def test_a_daemon_that_comes_up_late_is_waited_for(daemon: Daemon, tmp_path: Path) -> None:
    daemon.scripts = [peer.play(peer.first(), peer.answer(2, "here"), peer.completed(3))]
    address = f"unix://{tmp_path}/late.sock"
    async with AsyncClient(address) as client:
        reading = asyncio.create_task(client.stream("default", "Why?", reattach=True).read())
        await asyncio.sleep(0)  # let it ask a daemon that is not there
        server, _ = peer.serve(daemon, address)
        assert (await reading).answer == "here"
        server.stop(0).wait(peer.PATIENCE_S)


def test_complete_is_asked_again_under_the_same_id_when_the_line_breaks(
    daemon: Daemon, relay: Relay, line: str
) -> None:
    def answer(request: Any, context: Any) -> completion_pb2.CompleteResponse:
        if len(daemon.requests) == 1:
            relay.cut()
        return completion_pb2.CompleteResponse(answer="whole", completed=peer.ending())

    daemon.answer = answer
    with Client(line) as client:
        assert client.complete("default", "Why?", reattach=True).answer == "whole"
    first, second = daemon.requests
    assert first.request_id == second.request_id != ""


async def test_a_daemon_that_is_still_starting_can_be_waited_for(
    daemon: Daemon, tmp_path: Path
) -> None:
    address = f"unix://{tmp_path}/late.sock"
    async with AsyncClient(address) as client:
        waiting = asyncio.create_task(client.wait_ready(peer.PATIENCE_S))
        server, _ = peer.serve(daemon, address)
        await waiting
        assert (await client.status()).version == "1"
        server.stop(0).wait(peer.PATIENCE_S)


def test_waiting_for_a_daemon_that_never_comes_ends(tmp_path: Path) -> None:
    target = f"unix://{tmp_path}/nobody.sock"
    with Client(target) as client, pytest.raises(TimeoutError, match="nobody"):
        client.wait_ready(0.1)
