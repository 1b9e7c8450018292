"""Listening: the gRPC servers with their services, their options, and how they stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import msgspec
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from headway.v1 import completion_pb2, control_pb2

from sidecar.server import translate
from sidecar.server.completion import CompletionDoor
from sidecar.server.control import ControlDoor
from sidecar.server.driven.choice import AIO, AUTO, Drive, GrpcDrives, Server, choose
from sidecar.server.errors import Typed
from sidecar.server.problem import CannotListen, Impossible
from sidecar.server.reflection import LazyReflection
from sidecar.server.sockets import SocketLock, is_loopback, mode_at_bind, unix_path

log = logging.getLogger(__name__)

COMPLETION = "headway.v1.CompletionService"
CONTROL = "headway.v1.ControlService"
# Health names (reference: gRPC, Kubernetes, section 1.3.7). Provider health never touches them.
PROBES = ("startup", "liveness", "readiness")
READY = ("", "startup", "readiness", COMPLETION, CONTROL)


class ListenOptions(msgspec.Struct, frozen=True):
    """`mode`: permission bits of Unix sockets. `most_message_bytes`: of one request.

    `most_streams`: calls at once per connection. `reflection_on_tcp`: reflection is always on for
    Unix sockets. `public`: TCP addresses beyond loopback are allowed. `engine`: what drives gRPC,
    `auto`, `loop` or `aio` (docs/decisions/0009).
    """

    addresses: tuple[str, ...]
    health: str = ""
    mode: int = 0o660
    most_message_bytes: int = 16 * 1024 * 1024
    most_streams: int = 4096
    reflection_on_tcp: bool = False
    public: bool = False
    engine: str = AUTO


class Listener:
    """The daemon's servers. `start`, then `stop`; both once."""

    def __init__(
        self, options: ListenOptions, completion: CompletionDoor, control: ControlDoor
    ) -> None:
        self._options = options
        self._completion = completion
        self._control = control
        self._health = health.aio.HealthServicer()
        self._drive: Drive = GrpcDrives()
        self._servers: list[Server] = []
        self._locks: list[SocketLock] = []

    async def start(self) -> None:
        """Bind everything, then serve. Raises CannotListen; then nothing stays behind."""
        await self._serve(self._options.engine)
        for name in (*READY, "liveness"):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def _serve(self, engine: str) -> None:
        try:
            self._drive = await choose(engine)
            self._bind_all()
            for server in self._servers:
                await server.start()
        except Impossible as error:
            await self.stop(0.0)
            if engine != AUTO:
                raise CannotListen(
                    f"server.engine: {engine} is not possible here: {error}"
                ) from None
            log.info("gRPC drives itself: %s", error)
            await self._serve(AIO)
        except BaseException:
            await self.stop(0.0)
            raise

    async def lame_duck(self) -> None:
        """Tell every probe that no new call is wanted; liveness stays."""
        for name in READY:
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Stop serving; calls that still run get `grace_s`, then are cancelled."""
        await asyncio.gather(*(server.stop(grace_s) for server in self._servers))
        self._servers.clear()
        self._drive.close()
        self._drive = GrpcDrives()
        for lock in self._locks:
            lock.release()
        self._locks.clear()

    def _bind_all(self) -> None:
        unix = [a for a in self._options.addresses if unix_path(a) is not None]
        tcp = [a for a in self._options.addresses if unix_path(a) is None]
        if unix:
            server = self._server(reflection=True)
            for address in unix:
                self._bind_unix(server, address)
        if tcp:
            server = self._server(reflection=self._options.reflection_on_tcp)
            for address in tcp:
                self._bind_tcp(server, address)
        if self._options.health:
            server = self._drive.server(_options(self._options))
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            self._servers.append(server)
            _bind(server, self._options.health)

    def _server(self, *, reflection: bool) -> Server:
        server = self._drive.server(_options(self._options))
        last = self._drive.takes_last
        handlers = (_completion_handlers(self._completion, last), _control_handlers(self._control))
        server.add_generic_rpc_handlers(handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if reflection:
            names = (COMPLETION, CONTROL, health.SERVICE_NAME)
            server.add_generic_rpc_handlers((LazyReflection(names),))
        self._servers.append(server)
        return server

    def _bind_unix(self, server: Server, address: str) -> None:
        path = unix_path(address)
        assert path is not None
        lock = SocketLock(path)
        lock.acquire()
        self._locks.append(lock)
        with mode_at_bind(self._options.mode):
            _bind(server, f"unix:{Path(path).absolute()}")

    def _bind_tcp(self, server: Server, address: str) -> None:
        if not self._options.public and not is_loopback(address):
            raise CannotListen(
                f"{address} is not loopback: callers there would use your provider keys; say "
                "`server: {public: true}` if that is meant, and configure caller tokens"
            )
        _bind(server, address)


def _bind(server: Server, address: str) -> None:
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if not bound and not address.startswith("unix:"):
        raise CannotListen(f"cannot listen on {address}: in use, or not an address of this host")


def _options(options: ListenOptions) -> Sequence[tuple[str, Any]]:
    """Channel options. The keys are gRPC's; the figures follow reference section 2.4."""
    return (
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", options.most_message_bytes),
        ("grpc.max_concurrent_streams", options.most_streams),
        # A client that pings every 10 to 30 s through a silent thought must not be told off; the
        # documented spelling (min_recv_ping_...) has no effect.
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
    )


def _or_none(parse: Callable[[bytes], Message]) -> Callable[[bytes], Message | None]:
    """`parse`, or None for bytes that it cannot read: gRPC's own answer to those is UNKNOWN with
    an exception of Python in its text."""

    def read(data: bytes) -> Message | None:
        try:
            return parse(data)
        except DecodeError:
            return None

    return read


def _readable(method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Any]:
    """`method` for requests that could be read, INVALID_REQUEST for the others."""

    async def checked(message: Message | None, context: Any) -> Any:
        if message is None:
            async with Typed(context):
                raise translate.invalid("request", "could not be read: not a message of this rpc")
        return await method(message, context)

    return checked


def _written(method: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Any]:
    """`method` for servers that take no last message from a streaming method: it is written."""

    async def write_all(message: Any, context: Any) -> None:
        last = await method(message, context)
        if last is not None:
            await context.write(last)

    return write_all


def _completion_handlers(door: CompletionDoor, takes_last: bool) -> grpc.GenericRpcHandler:
    pb = completion_pb2
    stream = _readable(door.stream)
    return grpc.method_handlers_generic_handler(
        COMPLETION,
        {
            "StreamCompletion": grpc.unary_stream_rpc_method_handler(
                stream if takes_last else _written(stream),
                _or_none(pb.StreamCompletionRequest.FromString),
                pb.StreamCompletionResponse.SerializeToString,
            ),
            "Complete": grpc.unary_unary_rpc_method_handler(
                _readable(door.complete),
                _or_none(pb.CompleteRequest.FromString),
                pb.CompleteResponse.SerializeToString,
            ),
        },
    )


def _control_handlers(door: ControlDoor) -> grpc.GenericRpcHandler:
    unary = {
        "GetStatus": door.get_status,
        "GetUsage": door.get_usage,
        "ListModels": door.list_models,
        "Reload": door.reload,
        "Drain": door.drain,
    }
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        name: grpc.unary_unary_rpc_method_handler(
            _readable(method),  # type: ignore[arg-type]
            _or_none(getattr(control_pb2, f"{name}Request").FromString),
            getattr(control_pb2, f"{name}Response").SerializeToString,
        )
        for name, method in unary.items()
    }
    handlers["WatchStatus"] = grpc.unary_stream_rpc_method_handler(
        _readable(door.watch_status),
        _or_none(control_pb2.WatchStatusRequest.FromString),
        control_pb2.WatchStatusResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(CONTROL, handlers)
