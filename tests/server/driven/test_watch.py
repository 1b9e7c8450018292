"""Which sockets are taken for gRPC's: those of its listeners, and never a descriptor's next owner.

The listeners here are plain sockets: the room only ever looks at sockets, whoever made them.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sidecar.server.problem import Impossible
from tests.server.driven.served import deadline

if sys.platform != "linux":
    pytest.skip("/proc and epoll", allow_module_level=True)

from sidecar.server.driven.descriptors import Descriptors, polled
from sidecar.server.driven.watch import Watch


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def watch(stack: ExitStack) -> Watch:
    made = Watch()
    stack.callback(made.close)
    return made


def listening(stack: ExitStack, host: str = "127.0.0.1") -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = stack.enter_context(socket.socket(family))
    sock.bind((host, 0))
    sock.listen()
    return sock


def connected(stack: ExitStack, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """A caller, and its connection as the listener's owner has it."""
    caller = stack.enter_context(socket.create_connection(("127.0.0.1", port(listener))))
    return caller, stack.enter_context(listener.accept()[0])


def port(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def begun(watch: Watch, listener: socket.socket) -> Watch:
    watch.expect(port(listener))
    watch.begin()
    return watch


def test_a_name_that_nobody_listens_on_is_impossible(watch: Watch) -> None:
    watch.expect(b"\0nobody")
    with pytest.raises(Impossible, match="cannot be found"):
        watch.begin()


def test_a_listener_that_somebody_else_waits_for_is_impossible(
    watch: Watch, stack: ExitStack
) -> None:
    listener = listening(stack)
    other = Watch()
    stack.callback(other.close)
    begun(other, listener)
    assert polled(listener.fileno())
    with pytest.raises(Impossible, match="waits for its listeners itself"):
        begun(watch, listener)


def test_a_caller_is_seen_and_its_connection_found(watch: Watch, stack: ExitStack) -> None:
    listener = listening(stack)
    begun(watch, listener)
    caller, _ = connected(stack, listener)
    assert watch.look()
    assert not watch.look()
    caller.sendall(b"hello")
    with deadline():
        while not watch.unread():
            pass


def test_the_callers_own_end_is_not_taken_for_grpcs(watch: Watch, stack: ExitStack) -> None:
    """Both ends are in this process, as are the daemon's own connections to providers."""
    listener = listening(stack)
    begun(watch, listener)
    connected(stack, listener)
    watch.look()
    assert watch.connections == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_listener_on_every_address_finds_connections_to_any(
    watch: Watch, stack: ExitStack, host: str
) -> None:
    listener = listening(stack, host)
    begun(watch, listener)
    connected(stack, listener)
    assert watch.look()


def test_a_unix_sockets_connection_is_found_by_its_path(
    watch: Watch, stack: ExitStack, tmp_path: Path
) -> None:
    path = str(tmp_path / "s")
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(path)
    listener.listen()
    watch.expect(path)
    watch.begin()
    stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
    stack.enter_context(listener.accept()[0])
    assert watch.look()


def test_a_descriptor_that_is_used_again_by_somebody_else_is_not_watched(
    watch: Watch, stack: ExitStack
) -> None:
    listener = listening(stack)
    begun(watch, listener)
    _, connection = connected(stack, listener)
    watch.look()
    number = connection.fileno()
    connection.close()
    ours, theirs = (stack.enter_context(sock) for sock in socket.socketpair())
    assert number in (ours.fileno(), theirs.fileno())
    for sock in (ours, theirs):
        sock.sendall(b"not gRPC's")
    assert not watch.look()
    assert not watch.unread()
    assert not watch.callers()


def test_a_descriptor_that_is_used_again_by_grpc_is_a_new_connection(
    watch: Watch, stack: ExitStack
) -> None:
    listener = listening(stack)
    begun(watch, listener)
    _, connection = connected(stack, listener)
    watch.look()
    number = connection.fileno()
    connection.close()
    second = stack.enter_context(socket.socket())
    assert second.fileno() == number
    second.connect(("127.0.0.1", port(listener)))
    stack.enter_context(listener.accept()[0])
    assert watch.look()
    assert watch.connections == 2


def test_what_was_there_before_is_not_found_again(stack: ExitStack) -> None:
    descriptors = Descriptors()
    listener = listening(stack)
    assert listener.fileno() in {found.fd for found in descriptors.fresh()}
    assert not descriptors.fresh()
