"""One call: the context that handlers see. Names and meanings are grpc.aio.ServicerContext's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import grpc
from grpc import _common
from grpc._cython import cygrpc  # type: ignore[attr-defined]
from grpc.aio import EOF, AbortError, UsageError

from sidecar.core.clock import system_wall_ns
from sidecar.server.driven.queue import LoopQueue

_NO_FLAGS: Final = 0
_OK: Final = cygrpc.StatusCode.ok
# gRPC writes "no deadline" as the end of time; seconds since 1970.
_NEVER: Final = 1e12

Metadata = Sequence[tuple[str, str | bytes]]


class Context:
    """For the handler of one call, and for the server that runs it."""

    def __init__(self, event: Any, handler: Any, queue: LoopQueue) -> None:
        self.task: asyncio.Task[None] | None = None
        self._event = event
        self._call = event.call
        self._queue = queue
        self._serializer = handler.response_serializer
        self._deserializer = handler.request_deserializer
        self._metadata_sent = False
        self._finished = False
        self._closed = False
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: Metadata = ()
        self._callbacks: list[Callable[[Any], None]] = []

    # -- what handlers call ------------------------------------------------------------------

    async def write(self, message: Any) -> None:
        """Returns when gRPC has taken it, which is at once unless the reader is behind."""
        await self._send((cygrpc.SendMessageOperation(self._raw(message), _NO_FLAGS),))

    async def read(self) -> Any:
        operation = cygrpc.ReceiveMessageOperation(_NO_FLAGS)
        await self._run((operation,), writes=False)
        raw = operation.message()
        if raw is None or self._deserializer is None:
            return EOF if raw is None else raw
        return self._deserializer(raw)

    async def send_initial_metadata(self, metadata: Metadata) -> None:
        if self._metadata_sent:
            raise UsageError("Send initial metadata failed: already sent")
        self._metadata_sent = True
        await self._send((cygrpc.SendInitialMetadataOperation(tuple(metadata), _NO_FLAGS),))

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()
    ) -> None:
        self._code, self._details = code, details or self._details
        self._trailing = tuple(trailing_metadata) or self._trailing
        await self.finish()
        raise AbortError("Locally aborted.")

    async def abort_with_status(self, status: Any) -> None:
        await self.abort(status.code, status.details, status.trailing_metadata)

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        self._trailing = tuple(metadata)

    def trailing_metadata(self) -> Metadata:
        return self._trailing

    def invocation_metadata(self) -> Any:
        return self._event.invocation_metadata

    def time_remaining(self) -> float | None:
        deadline: float = self._event.call_details.deadline
        return None if deadline > _NEVER else max(deadline - system_wall_ns() / 1e9, 0.0)

    def peer(self) -> str:
        return _common.decode(self._call.peer())

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode | None:
        return self._code

    def set_details(self, details: str) -> None:
        self._details = details

    def details(self) -> str:
        return self._details

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def done(self) -> bool:
        return self._finished

    def cancelled(self) -> bool:
        """The client gave up, or its deadline passed."""
        return self._closed and not self._finished

    # -- what the server calls ---------------------------------------------------------------

    def watch(self) -> None:
        """From now on the task is cancelled when the client gives up."""
        operation = cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS)
        deadline = self._queue.call_begins(self.time_remaining())

        def on_close(_: Any) -> None:
            self._closed = True
            self._queue.call_ends(deadline)
            if operation.cancelled() and self.task is not None and not self._finished:
                self.task.cancel()

        self._call.start_server_batch((operation,), on_close)

    def receive(self, take: Callable[[bytes | None], None]) -> None:
        """Ask for a request message; `take` gets it, or None, without a task in between."""
        operation = cygrpc.ReceiveMessageOperation(_NO_FLAGS)
        self._call.start_server_batch((operation,), lambda _: take(operation.message()))

    async def finish(self, last: Any = None) -> None:
        """The status, and with it a last message. Does nothing the second time."""
        if not self._finished:
            await self._run(self._last(last))

    def refuse(self, code: grpc.StatusCode, details: str) -> None:
        """End the call, and wait for nothing."""
        if not self._finished:
            self._code, self._details = code, details
            self._call.start_server_batch(self._last(None), _unheard)

    def released(self) -> None:
        """The handler has ended."""
        for callback in self._callbacks:
            callback(self)

    # -- the batches -------------------------------------------------------------------------

    def _raw(self, message: Any) -> bytes:
        raw: bytes = message if self._serializer is None else self._serializer(message)
        return raw

    def _last(self, message: Any) -> tuple[Any, ...]:
        operations: tuple[Any, ...] = ()
        if message is not None:
            operations = (cygrpc.SendMessageOperation(self._raw(message), _NO_FLAGS),)
        self._finished = True
        code = _OK if self._code is None else _common.STATUS_CODE_TO_CYGRPC_STATUS_CODE[self._code]
        status = cygrpc.SendStatusFromServerOperation(
            tuple(self._trailing), code, _common.encode(self._details), _NO_FLAGS
        )
        return self._with_metadata((*operations, status))

    async def _send(self, operations: tuple[Any, ...]) -> None:
        if self._finished:
            raise UsageError("RPC already finished.")
        if not await self._run(self._with_metadata(operations)):
            await self._give_up()

    def _with_metadata(self, operations: tuple[Any, ...]) -> tuple[Any, ...]:
        if self._metadata_sent:
            return operations
        self._metadata_sent = True
        return (cygrpc.SendInitialMetadataOperation((), _NO_FLAGS), *operations)

    async def _give_up(self) -> None:
        """Nobody is there to be written to; that the call is cancelled will be heard of anyway."""
        if self.task is not None:
            self.task.cancel()
        await asyncio.sleep(0)

    async def _run(self, operations: tuple[Any, ...], *, writes: bool = True) -> bool:
        """Start a batch and wait for its end: mostly there is nothing to wait for."""
        batch = _Batch()
        self._call.start_server_batch(operations, batch)
        self._queue.ask_for(batch)
        return batch.success if batch.ended else await self._wait(batch, writes)

    async def _wait(self, batch: _Batch, writes: bool) -> bool:
        batch.waiter = asyncio.get_running_loop().create_future()
        if not writes:
            await batch.waiter
            return batch.success
        self._queue.write_blocks()
        try:
            await batch.waiter
        finally:
            self._queue.write_passes()
        return batch.success


class _Batch:
    """The tag of operations under way: called when they have ended."""

    __slots__ = ("ended", "success", "waiter")

    def __init__(self) -> None:
        self.ended = False
        self.success = False
        self.waiter: asyncio.Future[None] | None = None

    def __call__(self, event: Any) -> None:
        self.ended = True
        self.success = event.success
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


def _unheard(_: Any) -> None:
    """The tag of operations whose end nobody waits for."""
