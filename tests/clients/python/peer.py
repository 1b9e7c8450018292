"""The peer of the client: a gRPC server that plays a script, and a line to it that can be cut."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import status_pb2
from grpc_status import rpc_status
from headway.v1 import (
    completion_pb2,
    completion_pb2_grpc,
    control_pb2,
    control_pb2_grpc,
    event_pb2,
    usage_pb2,
)
from headway.v1 import (
    status_pb2 as daemon_pb2,
)

PATIENCE_S = 20.0  # a bound for a test that fails; none that passes waits for it

Message = completion_pb2.StreamCompletionResponse
Script = Callable[[completion_pb2.StreamCompletionRequest, Any], Iterator[Message]]


@dataclass
class Daemon(
    completion_pb2_grpc.CompletionServiceServicer, control_pb2_grpc.ControlServiceServicer
):
    """Plays one script per call of StreamCompletion, the last one again and again."""

    scripts: list[Script] = field(default_factory=list)
    answer: (
        Callable[[completion_pb2.CompleteRequest, Any], completion_pb2.CompleteResponse] | None
    ) = None
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    remaining_s: list[float | None] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def _note(self, request: Any, context: Any) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.remaining_s.append(context.time_remaining())
        context.add_callback(self.ended.set)

    def StreamCompletion(self, request: Any, context: Any) -> Iterator[Message]:
        turn = sum(isinstance(r, completion_pb2.StreamCompletionRequest) for r in self.requests)
        self._note(request, context)
        yield from self.scripts[min(turn, len(self.scripts) - 1)](request, context)

    def Complete(self, request: Any, context: Any) -> completion_pb2.CompleteResponse:
        self._note(request, context)
        assert self.answer is not None
        return self.answer(request, context)

    def GetStatus(self, request: Any, context: Any) -> control_pb2.GetStatusResponse:
        self._note(request, context)
        return control_pb2.GetStatusResponse(status=daemon_pb2.DaemonStatus(version="1"))

    def WatchStatus(self, request: Any, context: Any) -> Iterator[control_pb2.WatchStatusResponse]:
        self._note(request, context)
        for number in ("1", "2", "3"):
            status = daemon_pb2.DaemonStatus(version=number)
            yield control_pb2.WatchStatusResponse(status=status)
        self.ended.wait(PATIENCE_S)

    def GetUsage(self, request: Any, context: Any) -> control_pb2.GetUsageResponse:
        self._note(request, context)
        return control_pb2.GetUsageResponse(total=control_pb2.UsageRow(requests=7))

    def ListModels(self, request: Any, context: Any) -> control_pb2.ListModelsResponse:
        self._note(request, context)
        return control_pb2.ListModelsResponse(routes=[control_pb2.Route(name="default")])

    def Reload(self, request: Any, context: Any) -> control_pb2.ReloadResponse:
        self._note(request, context)
        return control_pb2.ReloadResponse(changed=True, version="v2")

    def Drain(self, request: Any, context: Any) -> control_pb2.DrainResponse:
        self._note(request, context)
        return control_pb2.DrainResponse(finished=2)


def serve(daemon: Daemon, address: str) -> tuple[grpc.Server, str]:
    """A running server and the target to reach it by."""
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    completion_pb2_grpc.add_CompletionServiceServicer_to_server(daemon, server)
    control_pb2_grpc.add_ControlServiceServicer_to_server(daemon, server)
    port = server.add_insecure_port(address)
    server.start()
    return server, address if address.startswith("unix:") else f"127.0.0.1:{port}"


class Relay:
    """A line to a server: it carries bytes between a new socket and the server's until cut."""

    def __init__(self, path: str, onward: str) -> None:
        self._onward = onward
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        self._threads = [self._start(self._accept)]

    def _start(self, work: Callable[..., None], *with_: Any) -> threading.Thread:
        thread = threading.Thread(target=work, args=with_, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._onward)
            self._open += [near, far]
            self._threads += [self._start(self._carry, near, far)]
            self._threads += [self._start(self._carry, far, near)]

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def cut(self) -> None:
        """Break every connection there is. New ones are carried."""
        broken, self._open = self._open, []
        for end in broken:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for end in broken:
            end.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE_S)


# Messages, in the order of the API's `oneof event`.


def reasoning(sequence: int, text: str, signature: str = "") -> Message:
    delta = event_pb2.ReasoningDelta(text=text, signature=signature)
    return Message(sequence=sequence, reasoning=delta)


def answer(sequence: int, text: str) -> Message:
    return Message(sequence=sequence, answer=event_pb2.AnswerDelta(text=text))


def tool_call(sequence: int, index: int, arguments: str, id: str = "", name: str = "") -> Message:
    delta = event_pb2.ToolCallDelta(index=index, id=id, name=name, arguments=arguments)
    return Message(sequence=sequence, tool_call=delta)


def refusal(sequence: int, text: str) -> Message:
    return Message(sequence=sequence, refusal=event_pb2.RefusalDelta(text=text))


def first(sequence: int = 1) -> Message:
    return attempt(sequence, 1, "FIRST", "FRESH", sequence - 1)


def attempt(
    sequence: int, number: int, cause: str, continuation: str, discard_after: int, reason: str = ""
) -> Message:
    return Message(
        sequence=sequence,
        attempt=event_pb2.Attempt(
            number=number,
            provider="deepseek",
            model="deepseek-v4-pro",
            key_alias="a1",
            cause=event_pb2.AttemptCause.Value(f"ATTEMPT_CAUSE_{cause}"),
            continuation=event_pb2.AttemptContinuation.Value(
                f"ATTEMPT_CONTINUATION_{continuation}"
            ),
            reason=reason,
            discard_after_sequence=discard_after,
        ),
    )


def ending() -> event_pb2.Completed:
    wire = event_pb2.Completed(
        finish_reason=event_pb2.FINISH_REASON_STOP,
        usage=usage_pb2.Usage(input_tokens=11, output_tokens=5, reasoning_tokens=2),
        cost=usage_pb2.Cost(input_nano_usd=110, answer_nano_usd=60, total_nano_usd=170),
        response_model="deepseek-v4-pro-1120",
        attempts=[
            event_pb2.AttemptSummary(
                number=1,
                outcome=event_pb2.ATTEMPT_OUTCOME_INTERRUPTED,
                cause=event_pb2.ATTEMPT_CAUSE_FIRST,
                reason="STREAM_CUT",
                dropped_options=["seed"],
                provider_trace="ds-7f",
                provider_cost_nano_usd=0,
            )
        ],
        saved=event_pb2.Saved(reasoning_tokens=2, nano_usd=-3),
    )
    wire.timings.total.FromMilliseconds(1500)
    return wire


def completed(sequence: int) -> Message:
    return Message(sequence=sequence, completed=ending())


def abort(context: Any, code: grpc.StatusCode, message: str, *details: Any) -> None:
    """End the call with a rich status. Raises."""
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = Packed()
        packed.Pack(detail)
        status.details.append(packed)
    context.abort_with_status(rpc_status.to_status(status))


def play(*messages: Message) -> Script:
    """Send these, then end in success."""
    return lambda request, context: iter(messages)


def play_then(*messages: Message, then: Callable[[Any, Any], None]) -> Script:
    """Send these, then do something."""

    def script(request: Any, context: Any) -> Iterator[Message]:
        yield from messages
        then(request, context)

    return script
