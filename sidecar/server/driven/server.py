"""The server: of grpc.aio.Server what a daemon needs, on a queue that the loop drives."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import grpc
from grpc import _common
from grpc._cython import cygrpc  # type: ignore[attr-defined]
from grpc.aio import EOF, AbortError

from sidecar.server.driven.call import Context
from sidecar.server.driven.descriptors import Name
from sidecar.server.driven.queue import LoopQueue

log = logging.getLogger(__name__)

# What gRPC answers for methods that nobody serves, and for requests without a message.
_NO_SUCH_METHOD: Final = grpc.StatusCode((12, "unimplemented"))


class Server:
    """`start`, then `stop`; both once. Handlers are grpc's, their functions coroutines or async
    generators. The coroutine of a streaming method may return its last message instead of writing
    it: message and status then leave together."""

    def __init__(self, queue: LoopQueue, options: Sequence[tuple[str, Any]] = ()) -> None:
        self._queue = queue
        self._core = cygrpc.Server(tuple(options), False)
        self._core.register_completion_queue(queue.core)
        self._generic: list[Any] = []
        self._methods: dict[str, Any] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = False
        self._running = False

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        self._generic.extend(handlers)

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self._methods.update({f"/{service}/{name}": h for name, h in handlers.items()})

    def add_insecure_port(self, address: str) -> int:
        """Bind. Returns the port; raises RuntimeError where that is not possible."""
        bound = self._core.add_http2_port(_common.encode(address))
        port: int = _common.validate_port_binding_result(address, bound)
        self._queue.expect(_name_of(address, port))
        return port

    async def start(self) -> None:
        """Serve. Raises Impossible; then nothing was answered yet."""
        self._core.start()
        self._started = self._running = True
        self._request()
        self._queue.begin()

    async def stop(self, grace: float | None) -> None:
        """No new calls; those that run get `grace` seconds and are then cancelled."""
        if not self._started:
            self._core.start()  # what is bound is let go by a server that ran
            self._started = self._running = True
        if not self._running:
            return
        self._running = False
        shut = self._begin_to_shut()
        if grace:
            await asyncio.wait((shut,), timeout=grace)
        if not shut.done():
            self._core.cancel_all_calls()
            self._queue.ask()
        await shut
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._core.destroy()

    def _begin_to_shut(self) -> asyncio.Future[None]:
        shut = asyncio.get_running_loop().create_future()

        def on_shut(_: Any) -> None:
            self._queue.is_shut()
            shut.set_result(None)

        self._core.shutdown(self._queue.core, on_shut)
        self._queue.shuts()
        return shut

    def _request(self) -> None:
        """Ask for one call more; the answer is `_on_call`."""
        self._core.request_call(self._queue.core, self._queue.core, self._on_call)

    def _on_call(self, event: Any) -> None:
        if not event.success or not self._running:
            return
        self._request()
        handler = self._handler_of(event)
        context = Context(event, handler, self._queue)
        context.watch()
        if handler.request_streaming:
            self._spawn(handler, None, context)
        else:
            context.receive(lambda raw: self._on_request(handler, raw, context))

    def _on_request(self, handler: Any, raw: bytes | None, context: Context) -> None:
        if raw is not None:
            self._spawn(handler, raw, context)
        elif not context.cancelled():
            context.refuse(_NO_SUCH_METHOD, "the request has no message")

    def _spawn(self, handler: Any, raw: bytes | None, context: Context) -> None:
        loop = asyncio.get_running_loop()
        context.task = task = loop.create_task(_serve(handler, raw, context))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _handler_of(self, event: Any) -> Any:
        details = _Details(event)
        registered = self._methods.get(details.method)
        if registered is not None:
            return registered
        try:
            found = (generic.service(details) for generic in self._generic)
            return next((handler for handler in found if handler is not None), _UNKNOWN)
        except Exception:
            log.exception("a look for the handler of %s raised", details.method)
            return _UNKNOWN


class _Details:
    """grpc.HandlerCallDetails."""

    def __init__(self, event: Any) -> None:
        self.method: str = _common.decode(event.call_details.method)
        self.invocation_metadata = event.invocation_metadata


async def _serve(handler: Any, raw: bytes | None, context: Context) -> None:
    """Run a handler to its end, whatever that is, and tell the client. `raw` None: a stream."""
    try:
        request = _requests(context) if raw is None else _as(handler.request_deserializer, raw)
        await context.finish(await _answer(handler, request, context))
    except AbortError:
        pass
    except asyncio.CancelledError:
        if not context.cancelled():
            context.refuse(grpc.StatusCode.CANCELLED, "the server gave the call up")
            raise
    except Exception as exc:
        log.exception("a handler raised")
        context.refuse(context.code() or grpc.StatusCode.UNKNOWN, f"Unexpected {type(exc)}: {exc}")
    finally:
        context.released()


async def _answer(handler: Any, request: Any, context: Context) -> Any:
    """What the handler returned and can go with the status; what it yields is written."""
    function = _function_of(handler)
    if not inspect.isasyncgenfunction(function):
        return await function(request, context)
    async for message in function(request, context):
        await context.write(message)
    return None


def _as(change: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if change is None else change(value)


def _function_of(handler: Any) -> Any:
    kinds = {
        (False, False): handler.unary_unary,
        (False, True): handler.unary_stream,
        (True, False): handler.stream_unary,
        (True, True): handler.stream_stream,
    }
    return kinds[handler.request_streaming, handler.response_streaming]


async def _requests(context: Context) -> AsyncIterator[Any]:
    while (message := await context.read()) is not EOF:
        yield message


async def _unknown(_: Any, context: Context) -> None:
    await context.abort(_NO_SUCH_METHOD, "Method not found!")


_UNKNOWN: Final[Any] = grpc.unary_stream_rpc_method_handler(_unknown)


def _name_of(address: str, port: int) -> Name:
    scheme, _, rest = address.partition(":")
    if scheme == "unix":
        return rest.removeprefix("//")
    return b"\0" + rest.encode() if scheme == "unix-abstract" else port
