"""Who drives gRPC: the event loop where that is possible, gRPC itself everywhere else."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc

from sidecar.server.problem import Impossible

if TYPE_CHECKING:
    from sidecar.server.driven.queue import LoopQueue

log = logging.getLogger(__name__)

# `auto`: the loop where a trial says that it can, and grpcio is one whose inside we know.
AUTO: Final = "auto"
LOOP: Final = "loop"
AIO: Final = "aio"
# The releases whose private module was read and tested, by their beginnings.
KNOWN: Final = ("1.85.",)

# Long enough for a thread of gRPC's, if there is one that waits for connections, to take one.
_TEMPTATION_S: Final = 0.01
# A server's first frame is SETTINGS: its type, the fourth byte (RFC 9113, sections 4.1 and 3.4).
_SETTINGS: Final = 4
# So many times, and so often, the greeting is looked for: a thread helps to set a connection up.
_PATIENCE: Final = 500
_GLANCE_S: Final = 0.001


class Server(Protocol):
    """What grpc.aio's server and ours have in common."""

    def add_generic_rpc_handlers(self, handlers: Sequence[Any], /) -> None: ...
    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any], /) -> None: ...
    def add_insecure_port(self, address: str, /) -> int: ...
    async def start(self) -> None: ...
    async def stop(self, grace: float | None) -> None: ...


class Drive(Protocol):
    """Makes the servers of one daemon. `close` after all of them have stopped.

    `takes_last`: a streaming handler may return its last message instead of writing it.
    """

    takes_last: bool

    def server(self, options: Sequence[tuple[str, Any]]) -> Server: ...
    def close(self) -> None: ...


class GrpcDrives:
    """grpc.aio as it is."""

    takes_last = False

    def server(self, options: Sequence[tuple[str, Any]]) -> Server:
        return grpc.aio.server(options=options)

    def close(self) -> None:
        pass


class LoopDrives:
    """Our server on a queue that the loop drives."""

    takes_last = True

    def __init__(self) -> None:
        from sidecar.server.driven.queue import LoopQueue

        self.queue: LoopQueue = LoopQueue()

    def server(self, options: Sequence[tuple[str, Any]]) -> Server:
        from sidecar.server.driven.server import Server as DrivenServer

        return DrivenServer(self.queue, options)

    def close(self) -> None:
        self.queue.close()


async def choose(engine: str) -> Drive:
    """The drive for `engine`. Raises Impossible for `loop` where a trial fails.

    It fails where this is not Linux, where gRPC's poll strategy is not `poll` or its listeners are
    not its own to poll (GRPC_EXPERIMENTS), and with a grpcio that is built otherwise inside.
    """
    if engine == AIO:
        return GrpcDrives()
    why_not = await _why_not(engine)
    if why_not is None:
        log.debug("the loop drives gRPC")
        return LoopDrives()
    if engine == LOOP:
        raise Impossible(why_not)
    log.info("gRPC drives itself: %s", why_not)
    return GrpcDrives()


async def _why_not(engine: str) -> str | None:
    if sys.platform != "linux":
        return "the loop can drive it on Linux only"
    if engine == AUTO and not grpc.__version__.startswith(KNOWN):
        return f"grpcio {grpc.__version__} is none of {', '.join(KNOWN)}*"
    try:
        await _try()
    except Exception as error:  # whatever a private module may raise
        return str(error) or type(error).__name__
    return None


async def _try() -> None:
    """Serve nothing on an abstract socket that nobody knows of, and see who serves a caller."""
    drive, name = LoopDrives(), f"headway-{secrets.token_hex(8)}"
    server = drive.server(())
    server.add_insecure_port(f"unix-abstract:{name}")
    try:
        await server.start()
        with socket.socket(socket.AF_UNIX) as caller:
            caller.setblocking(False)
            await _tempt(drive.queue, caller, b"\0" + name.encode())
    finally:
        await server.stop(0)
        drive.close()


async def _tempt(queue: LoopQueue, caller: socket.socket, address: bytes) -> None:
    """Raises Impossible unless it is asking the queue that accepts the caller and greets it."""
    with queue.held():
        caller.connect(address)
        await asyncio.sleep(_TEMPTATION_S)
        if queue.accepted():
            raise Impossible("gRPC accepts its callers itself")
    queue.ask()
    if not queue.accepted():
        raise Impossible("the queue accepts no caller")
    if await _greeting(queue, caller) != _SETTINGS:
        raise Impossible("the queue greets no caller")


async def _greeting(queue: LoopQueue, caller: socket.socket) -> int | None:
    """The type of the first frame, if one comes."""
    for _ in range(_PATIENCE):
        try:
            return caller.recv(64)[3]
        except BlockingIOError:
            await asyncio.sleep(_GLANCE_S)
            queue.ask()
    return None
