"""The asyncio client. It moves messages; what they mean is decided in `_state`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import Any, Self, TypeVar, Unpack

import grpc
import grpc.aio

from headway import _channel, _control, _request, _state
from headway._control import CONTROL_TIMEOUT_S
from headway._view import StreamView
from headway.errors import HeadwayError, cancelled, from_rpc
from headway.events import Event
from headway.options import Messages, Options
from headway.transcript import Result
from headway.v1 import (
    completion_pb2,
    completion_pb2_grpc,
    control_pb2,
    control_pb2_grpc,
    status_pb2,
)

Answer = TypeVar("Answer")


async def _wait(call: Awaitable[Answer]) -> Answer:
    """The answer of a call. HeadwayError: it failed. A cancelled task cancels it."""
    try:
        return await call
    except grpc.aio.AioRpcError as failure:
        raise from_rpc(failure) from None
    except asyncio.CancelledError:
        if _task_is_cancelled():
            raise
        raise cancelled() from None


def _task_is_cancelled() -> bool:
    """Whether a CancelledError is meant for us.

    grpc.aio raises it also when only the *call* was cancelled, by `close`: then it is an error like
    any other.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class AsyncClient:
    """A connection to the daemon, for one event loop: construct it there, and close it, or use it
    in `async with`.

    Arguments as for `Client`.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        token: str | None = None,
        reconnect_s: float = 10.0,
        metadata: _channel.Metadata | None = None,
        propagate: _channel.Propagate | None = None,
        options: _channel.ChannelOptions = (),
    ) -> None:
        self._line = _channel.line(target, token, reconnect_s, metadata, propagate, options)
        self._channel = grpc.aio.insecure_channel(self._line.target, self._line.options)
        self._completion = completion_pb2_grpc.CompletionServiceStub(self._channel)
        self._control = control_pb2_grpc.ControlServiceStub(self._channel)

    def stream(
        self,
        model: str,
        messages: Messages,
        *,
        timeout_s: float | None = None,
        request_id: str | None = None,
        after_sequence: int = 0,
        reattach: bool | None = None,
        metadata: _channel.Metadata | None = None,
        **options: Unpack[Options],
    ) -> "AsyncStream":
        """Ask, and iterate over the events as they come. Arguments as for `Client.stream`."""
        completion = _request.completion(model, messages, options)
        request = _state.stream_request(completion, request_id, after_sequence, reattach)
        mending = _state.Mending(request.request_id, reattach, self._line.reconnect_s)
        state = _state.StreamState(request, mending)
        return AsyncStream(self, state, timeout_s, self._line.headers(metadata))

    async def complete(
        self,
        model: str,
        messages: Messages,
        *,
        timeout_s: float | None = None,
        request_id: str | None = None,
        reattach: bool | None = None,
        metadata: _channel.Metadata | None = None,
        **options: Unpack[Options],
    ) -> Result:
        """Ask, and wait for the whole answer. Arguments as for `Client.stream`."""
        completion = _request.completion(model, messages, options)
        request = _state.complete_request(completion, request_id, reattach)
        mending = _state.Mending(request.request_id, reattach, self._line.reconnect_s)
        headers = self._line.headers(metadata)
        while True:
            call = self._completion.Complete(request, timeout=timeout_s, metadata=headers)
            try:
                return _state.complete_result(await _wait(call))
            except HeadwayError as error:
                mending.take(error)
                timeout_s = await self._reconnect(call, error)

    async def status(
        self, *, timeout_s: float | None = CONTROL_TIMEOUT_S
    ) -> status_pb2.DaemonStatus:
        """The daemon's state now."""
        request = control_pb2.GetStatusRequest()
        return (await self._ask(self._control.GetStatus, request, timeout_s)).status

    async def watch_status(
        self, interval_s: float | None = None
    ) -> AsyncGenerator[status_pb2.DaemonStatus, None]:
        """The daemon's state, now and then at every interval, until the generator is closed."""
        request = _control.watch_request(interval_s)
        call = self._control.WatchStatus(request, metadata=self._line.headers(None))
        try:
            async for message in call:
                yield message.status
        except grpc.aio.AioRpcError as failure:
            raise from_rpc(failure) from None
        finally:
            call.cancel()

    async def usage(
        self, *, timeout_s: float | None = CONTROL_TIMEOUT_S, **query: Unpack[_control.UsageQuery]
    ) -> control_pb2.GetUsageResponse:
        """The ledger, filtered and grouped."""
        return await self._ask(self._control.GetUsage, _control.usage_request(query), timeout_s)

    async def models(
        self, *, timeout_s: float | None = CONTROL_TIMEOUT_S
    ) -> control_pb2.ListModelsResponse:
        """The routes and targets that may be asked for."""
        return await self._ask(self._control.ListModels, control_pb2.ListModelsRequest(), timeout_s)

    async def reload(
        self, *, timeout_s: float | None = CONTROL_TIMEOUT_S
    ) -> control_pb2.ReloadResponse:
        """Read the configuration again. A refused one is no error: look at `errors`."""
        return await self._ask(self._control.Reload, control_pb2.ReloadRequest(), timeout_s)

    async def drain(
        self, grace_s: float | None = None, *, timeout_s: float | None = None
    ) -> control_pb2.DrainResponse:
        """Take no new requests, and return when the running ones are done or the grace is over."""
        return await self._ask(self._control.Drain, _control.drain_request(grace_s), timeout_s)

    async def close(self) -> None:
        """Drop the connection. Streams that run end with CANCELLED."""
        await self._channel.close()

    async def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Wait for a daemon that is still starting. TimeoutError: it did not come."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._channel.channel_ready()
        except TimeoutError:
            raise TimeoutError(f"no daemon at {self._line.target}") from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _ask(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[Any, Answer]",
        request: Any,
        timeout_s: float | None,
    ) -> Answer:
        return await _wait(method(request, timeout=timeout_s, metadata=self._line.headers(None)))

    def _open(
        self, state: _state.StreamState, timeout_s: float | None, headers: Any
    ) -> "grpc.aio.UnaryStreamCall[Any, completion_pb2.StreamCompletionResponse]":
        return self._completion.StreamCompletion(state.request, timeout=timeout_s, metadata=headers)

    async def _reconnect(self, call: grpc.aio.RpcContext, error: HeadwayError) -> float | None:
        """Wait for the daemon to be there; return what is left of the call's deadline.

        Raises `error` if it does not come.
        """
        try:
            await self.wait_ready(_channel.shorter(call.time_remaining(), self._line.reconnect_s))
        except TimeoutError:
            raise error from None
        return call.time_remaining()


class AsyncStream(StreamView):
    """A stream of events: iterate over it once. Leaving its `async with` before the end cancels the
    request.

    Iterating raises HeadwayError for every end but a complete one; the error's `result` is what was
    delivered.
    """

    def __init__(
        self, client: AsyncClient, state: _state.StreamState, timeout_s: float | None, headers: Any
    ) -> None:
        self._client = client
        self._state = state
        self._headers = headers
        self._call = client._open(state, timeout_s, headers)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while (message := await self._next_message()) is not None:
            event = self._feed(message)
            if event is not None:
                return event
        raise StopAsyncIteration

    async def _next_message(self) -> completion_pb2.StreamCompletionResponse | None:
        """The next message, over as many connections as it takes. None: the stream is complete."""
        while True:
            try:
                message = await self._call.read()
            except grpc.aio.AioRpcError as failure:
                if self._state.done:  # lost after the end: nothing is missing
                    return None
                await self._mend(from_rpc(failure))
            except asyncio.CancelledError:
                if _task_is_cancelled():
                    # grpc.aio forgets to, if the request has just gone out and nothing is read yet.
                    self.close()
                    raise
                raise self._state.told(cancelled()) from None
            else:
                return self._message(message)

    def _message(self, message: Any) -> completion_pb2.StreamCompletionResponse | None:
        if isinstance(message, completion_pb2.StreamCompletionResponse):
            return message
        self._state.ended()
        return None

    async def _mend(self, error: HeadwayError) -> None:
        left_s = await self._client._reconnect(self._call, self._state.broke(error))
        self._call = self._client._open(self._state, left_s, self._headers)

    def _feed(self, message: completion_pb2.StreamCompletionResponse) -> Event | None:
        try:
            return self._state.feed(message)
        except HeadwayError:
            self.close()
            raise

    async def read(self) -> Result:
        """Read to the end and return the whole answer."""
        async for _ in self:
            pass
        return self.result

    def close(self) -> None:
        """Cancel the request, unless it is complete. Its spending ends with it."""
        self._call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
