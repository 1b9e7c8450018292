"""The blocking client. It moves messages; what they mean is decided in `_state`."""

from collections.abc import Generator, Iterator
from typing import Any, Self, TypeVar, Unpack

import grpc

from headway import _channel, _control, _request, _state
from headway._control import CONTROL_TIMEOUT_S
from headway._view import StreamView
from headway.errors import HeadwayError, from_rpc
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

Question = TypeVar("Question")
Answer = TypeVar("Answer")


def _wait(call: "grpc._CallFuture[Answer]") -> Answer:
    """The answer of a call. HeadwayError: it failed. Whatever else interrupts us cancels it."""
    try:
        return call.result()
    except grpc.RpcError as failure:
        raise from_rpc(failure) from None
    except BaseException:
        call.cancel()
        raise


class Client:
    """A connection to the daemon. Safe to share between threads; close it, or use it in a `with`.

    target: a gRPC target. Default: HEADWAY_TARGET, or unix:///run/headway/headway.sock.
    token: sent as `headway-token`. Default: HEADWAY_TOKEN, or none.
    reconnect_s: how long to wait for the daemon, at each break, before a request with a
        request_id is made again. 0: it is not.
    metadata: sent with every call.
    propagate: called with a dict to put trace context into; `opentelemetry.propagate.inject` fits.
    options: further gRPC channel options.
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
        self._channel = grpc.insecure_channel(self._line.target, self._line.options)
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
    ) -> "Stream":
        """Ask, and iterate over the events as they come.

        timeout_s: the request's deadline, from now, waiting included. Default: the daemon's.
        request_id: the idempotency key, a UUID. With one, the daemon goes on for a while (30 s
            by default) when nobody reads any more, and can be joined again.
        after_sequence: only what comes after this one, of a stream whose request_id is given.
        reattach: whether to join the stream again, where it was, if the connection breaks.
            Default: if there is a request_id. True makes one up.
        """
        completion = _request.completion(model, messages, options)
        request = _state.stream_request(completion, request_id, after_sequence, reattach)
        mending = _state.Mending(request.request_id, reattach, self._line.reconnect_s)
        state = _state.StreamState(request, mending)
        return Stream(self, state, timeout_s, self._line.headers(metadata))

    def complete(
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
        """Ask, and wait for the whole answer. Arguments as for `stream`."""
        completion = _request.completion(model, messages, options)
        request = _state.complete_request(completion, request_id, reattach)
        mending = _state.Mending(request.request_id, reattach, self._line.reconnect_s)
        headers = self._line.headers(metadata)
        while True:
            call = self._completion.Complete.future(request, timeout=timeout_s, metadata=headers)
            try:
                return _state.complete_result(_wait(call))
            except HeadwayError as error:
                mending.take(error)
                timeout_s = self._reconnect(call, error)

    def status(self, *, timeout_s: float | None = CONTROL_TIMEOUT_S) -> status_pb2.DaemonStatus:
        """The daemon's state now."""
        request = control_pb2.GetStatusRequest()
        return self._ask(self._control.GetStatus, request, timeout_s).status

    def watch_status(
        self, interval_s: float | None = None
    ) -> Generator[status_pb2.DaemonStatus, None, None]:
        """The daemon's state, now and then at every interval, until the generator is closed."""
        request = _control.watch_request(interval_s)
        call = self._control.WatchStatus(request, metadata=self._line.headers(None))
        try:
            for message in call:
                yield message.status
        except grpc.RpcError as failure:
            raise from_rpc(failure) from None
        finally:
            call.cancel()

    def usage(
        self, *, timeout_s: float | None = CONTROL_TIMEOUT_S, **query: Unpack[_control.UsageQuery]
    ) -> control_pb2.GetUsageResponse:
        """The ledger, filtered and grouped."""
        return self._ask(self._control.GetUsage, _control.usage_request(query), timeout_s)

    def models(
        self, *, timeout_s: float | None = CONTROL_TIMEOUT_S
    ) -> control_pb2.ListModelsResponse:
        """The routes and targets that may be asked for."""
        return self._ask(self._control.ListModels, control_pb2.ListModelsRequest(), timeout_s)

    def reload(self, *, timeout_s: float | None = CONTROL_TIMEOUT_S) -> control_pb2.ReloadResponse:
        """Read the configuration again. A refused one is no error: look at `errors`."""
        return self._ask(self._control.Reload, control_pb2.ReloadRequest(), timeout_s)

    def drain(
        self, grace_s: float | None = None, *, timeout_s: float | None = None
    ) -> control_pb2.DrainResponse:
        """Take no new requests, and return when the running ones are done or the grace is over."""
        return self._ask(self._control.Drain, _control.drain_request(grace_s), timeout_s)

    def close(self) -> None:
        """Drop the connection. Streams that run end with CANCELLED."""
        self._channel.close()

    def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Wait for a daemon that is still starting. TimeoutError: it did not come."""
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout_s)
        except grpc.FutureTimeoutError:
            raise TimeoutError(f"no daemon at {self._line.target}") from None
        finally:
            ready.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self,
        method: "grpc.UnaryUnaryMultiCallable[Question, Answer]",
        request: Question,
        timeout_s: float | None,
    ) -> Answer:
        return _wait(method.future(request, timeout=timeout_s, metadata=self._line.headers(None)))

    def _open(
        self, state: _state.StreamState, timeout_s: float | None, headers: Any
    ) -> "grpc._CallIterator[completion_pb2.StreamCompletionResponse]":
        return self._completion.StreamCompletion(state.request, timeout=timeout_s, metadata=headers)

    def _reconnect(self, call: grpc.RpcContext, error: HeadwayError) -> float | None:
        """Wait for the daemon to be there; return what is left of the call's deadline.

        Raises `error` if it does not come.
        """
        try:
            self.wait_ready(_channel.shorter(call.time_remaining(), self._line.reconnect_s))
        except TimeoutError:
            raise error from None
        return call.time_remaining()


class Stream(StreamView):
    """A stream of events: iterate over it once. Leaving its `with` before the end cancels the
    request.

    Iterating raises HeadwayError for every end but a complete one; the error's `result` is what was
    delivered.
    """

    def __init__(
        self, client: Client, state: _state.StreamState, timeout_s: float | None, headers: Any
    ) -> None:
        self._client = client
        self._state = state
        self._headers = headers
        self._call = client._open(state, timeout_s, headers)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        while (message := self._next_message()) is not None:
            event = self._feed(message)
            if event is not None:
                return event
        raise StopIteration

    def _next_message(self) -> completion_pb2.StreamCompletionResponse | None:
        """The next message, over as many connections as it takes. None: the stream is complete."""
        while True:
            try:
                return next(self._call)
            except StopIteration:
                self._state.ended()
                return None
            except grpc.RpcError as failure:
                if self._state.done:  # lost after the end: nothing is missing
                    return None
                self._mend(from_rpc(failure))

    def _mend(self, error: HeadwayError) -> None:
        left_s = self._client._reconnect(self._call, self._state.broke(error))
        self._call = self._client._open(self._state, left_s, self._headers)

    def _feed(self, message: completion_pb2.StreamCompletionResponse) -> Event | None:
        try:
            return self._state.feed(message)
        except HeadwayError:
            self.close()
            raise

    def read(self) -> Result:
        """Read to the end and return the whole answer."""
        for _ in self:
            pass
        return self.result

    def close(self) -> None:
        """Cancel the request, unless it is complete. Its spending ends with it."""
        self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
