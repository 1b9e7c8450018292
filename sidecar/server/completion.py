"""The main door: StreamCompletion and Complete.

Handlers are plain coroutines that write; never async generators: grpc.aio leaves a generator to the
finaliser when the client cancels in mid-write, and its clean-up then runs in another task.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import grpc
import msgspec
from headway.v1 import completion_pb2, message_pb2
from headway.v1.request_pb2 import Completion as Completion_pb

from sidecar.core.clock import Clock
from sidecar.core.events import AttemptBegan, Completed, Continuation, Delta, Event
from sidecar.core.request import Completion, Request
from sidecar.core.transcript import Transcript
from sidecar.gateway.gateway import Gateway
from sidecar.gateway.journal import Journals
from sidecar.server import translate
from sidecar.server.access import Access
from sidecar.server.errors import Typed
from sidecar.server.events import completed, response
from sidecar.server.streams import Streams
from sidecar.server.trailers import of_success
from sidecar.telemetry import RequestTrace, Telemetry

Context = grpc.aio.ServicerContext[Any, Any]
STREAM = "headway.v1.CompletionService/StreamCompletion"
UNARY = "headway.v1.CompletionService/Complete"

_json = msgspec.json.Encoder(order="deterministic")


class CompletionDoor:
    """Serves both rpcs of CompletionService on any number of listeners."""

    def __init__(
        self,
        clock: Clock,
        gateway: Gateway,
        journals: Journals,
        telemetry: Telemetry,
        streams: Streams,
        access: Access,
    ) -> None:
        self._clock = clock
        self._gateway = gateway
        self._journals = journals
        self._telemetry = telemetry
        self._streams = streams
        self._access = access

    async def stream(
        self, message: completion_pb2.StreamCompletionRequest, context: Context
    ) -> completion_pb2.StreamCompletionResponse | None:
        """StreamCompletion: one message for each event. The last one, `completed`, is returned, so
        that it can leave together with the status."""
        sequence, last = message.after_sequence, None
        async with Typed(context) as typed, self._streams.open():
            asked = message.completion, message.request_id
            events = self._events(*asked, sequence, context, STREAM, typed)
            async with aclosing(events):
                async for event in events:
                    sequence += 1
                    if type(event) is Completed:
                        context.set_trailing_metadata(of_success(event))
                        last = response(sequence, event)
                    else:
                        await context.write(response(sequence, event))
        return last

    async def complete(
        self, message: completion_pb2.CompleteRequest, context: Context
    ) -> completion_pb2.CompleteResponse:
        """Complete: the same stream, collected."""
        async with Typed(context) as typed, self._streams.open():
            asked = message.completion, message.request_id
            events = self._events(*asked, 0, context, UNARY, typed)
            async with aclosing(events):
                return await _collected(events, context)

    def _events(
        self,
        message: Completion_pb,
        id_text: str,
        after: int,
        context: Context,
        method: str,
        typed: Typed,
    ) -> AsyncGenerator[Event, None]:
        """The events of one call; everything that can be wrong with it is found here first."""
        metadata = dict(context.invocation_metadata() or ())
        self._access.check(metadata)
        request_id = translate.request_id_from(id_text)
        if after and not request_id:
            raise translate.invalid("request_id", "is needed with after_sequence")
        completion = translate.completion_from(message)

        def begin(past: Sequence[Event] = ()) -> AsyncGenerator[Event, None]:
            request = self._request(request_id, completion, context.time_remaining())
            transport = "unix" if context.peer().startswith("unix") else "tcp"
            trace = typed.trace = self._trace(request, method, metadata, transport)
            return self._gateway.stream(request, trace, past)

        if not request_id:
            return begin()
        return self._journals.attach(request_id, _digest(completion), after, begin)

    def _request(self, request_id: str, completion: Completion, left_s: float | None) -> Request:
        now = self._clock.now()
        most_s = self._gateway.world.default_timeout_s
        return Request(
            id=request_id or str(uuid.uuid4()),
            completion=completion,
            deadline=now + (most_s if left_s is None else left_s),
            received=now,
        )

    def _trace(
        self, request: Request, method: str, metadata: dict[str, str | bytes], transport: str
    ) -> RequestTrace:
        completion = request.completion
        return self._telemetry.request(
            method=method,
            traceparent=str(metadata.get("traceparent", "")),
            tracestate=str(metadata.get("tracestate", "")),
            model=completion.model,
            route=completion.model,
            caller=completion.caller,
            streaming=method == STREAM,
            completion=completion,
            request_id=request.id,
            transport=transport,
            now_ns=self._clock.wall_ns(),
        )


async def _collected(
    events: AsyncGenerator[Event, None], context: Context
) -> completion_pb2.CompleteResponse:
    sequence, deltas = 0, list[tuple[int, Delta]]()
    answer = completion_pb2.CompleteResponse()
    async for event in events:
        sequence += 1
        if isinstance(event, Completed):
            context.set_trailing_metadata(of_success(event))
            answer.completed.CopyFrom(completed(event))
        elif not isinstance(event, AttemptBegan):
            deltas.append((sequence, event))
        elif event.continuation is Continuation.RESTARTED:
            deltas = [kept for kept in deltas if kept[0] <= event.discard_after_sequence]
    transcript = Transcript()
    for _, delta in deltas:
        transcript.add(delta)
    answer.reasoning = transcript.reasoning
    answer.signature = transcript.signature
    answer.answer = transcript.answer
    answer.refusal = transcript.refusal
    answer.tool_calls.extend(
        message_pb2.ToolCall(id=c.id, name=c.name, arguments=c.arguments)
        for c in transcript.tool_calls
    )
    return answer


def _digest(completion: Completion) -> bytes:
    """Equal for equal requests; a request_id must not be used for two different ones."""
    return hashlib.blake2b(_json.encode(completion), digest_size=16).digest()
