"""One stream apart from its I/O: what came, what stands, and whether a break may be mended. Pure.

`Client` and `AsyncClient` move messages; everything they have to know or decide is here, once.
"""

import dataclasses
import uuid
from typing import Final

import grpc

from headway import _decode
from headway.errors import HeadwayError
from headway.events import Attempt, Completed, Event
from headway.transcript import Partial, Result, ToolCall, Transcript, result_of
from headway.v1 import completion_pb2, request_pb2

# Breaks in a row, without a message between them, after which a stream is given up. One is a daemon
# that restarts; five are one that does nothing else.
_MOST_BREAKS: Final = 5


class Mending:
    """Whether a call that broke may be made again. Pure.

    Only when the connection broke, not when the daemon said something, and only with a request_id:
    without one the daemon could not know that it is the same request, and would bill it twice.
    """

    def __init__(self, request_id: str, reattach: bool | None, reconnect_s: float) -> None:
        possible = bool(request_id) and reattach is not False and reconnect_s > 0
        self._most = _MOST_BREAKS if possible else 0
        self._left = self._most

    def progress(self) -> None:
        """A message came: breaks are counted anew."""
        self._left = self._most

    def take(self, error: HeadwayError) -> None:
        """Take a failure. Returns if the call may be made again, otherwise raises it."""
        broken = error.code is grpc.StatusCode.UNAVAILABLE and not error.from_daemon
        if not broken or not self._left:
            raise error
        self._left -= 1


class StreamState:
    """What is known of a stream so far."""

    def __init__(self, request: completion_pb2.StreamCompletionRequest, mending: Mending) -> None:
        self._request = request
        self._mending = mending
        self._last = request.after_sequence
        self._transcript = Transcript()
        self._attempt: Attempt | None = None
        self._completed: Completed | None = None
        self._break: HeadwayError | None = None

    @property
    def request(self) -> completion_pb2.StreamCompletionRequest:
        """The request to send now: the same one, from where we are."""
        wire = completion_pb2.StreamCompletionRequest()
        wire.CopyFrom(self._request)
        wire.after_sequence = self._last
        return wire

    @property
    def request_id(self) -> str:
        return self._request.request_id

    @property
    def transcript(self) -> Transcript:
        return self._transcript

    @property
    def done(self) -> bool:
        return self._completed is not None

    def feed(self, message: completion_pb2.StreamCompletionResponse) -> Event | None:
        """Take the next message. None: nothing to tell, it is of a kind this client does not know.

        HeadwayError, reason SEQUENCE_BROKEN: a message is missing or came twice.
        """
        if message.sequence != self._last + 1 or self.done:
            raise self.told(_sequence_broken(self._last, message.sequence))
        self._last = message.sequence
        self._break = None
        self._mending.progress()
        event = _decode.event(message)
        return None if event is None else self._taken(event)

    def _taken(self, event: Event) -> Event:
        if isinstance(event, Attempt):
            discarded = self._transcript.discard_after(event.discard_after_sequence)
            self._attempt = event = dataclasses.replace(event, discarded=discarded)
        elif isinstance(event, Completed):
            self._completed = event
        else:
            self._transcript.add(event)
        return event

    def ended(self) -> None:
        """The call ended in success. HeadwayError, reason TRUNCATED: but the stream did not."""
        if not self.done:
            raise self.told(
                HeadwayError(
                    grpc.StatusCode.DATA_LOSS, "TRUNCATED", "the stream ended without `completed`"
                )
            )

    def broke(self, error: HeadwayError) -> HeadwayError:
        """The call failed. Returns if it may be made again, otherwise raises what the caller should
        see.

        That, and what is returned, is the first failure in a row: what a re-attach says after it (a
        daemon that lost its memory knows no request) tells nothing about why the stream broke.
        """
        self._break = self._break or self.told(error)
        try:
            self._mending.take(error)
        except HeadwayError:
            raise self._break from (None if self._break is error else error)
        return self._break

    def told(self, error: HeadwayError) -> HeadwayError:
        """The error, with what was delivered."""
        error.result = self.partial
        return error

    @property
    def partial(self) -> Partial:
        return Partial(
            reasoning=self._transcript.reasoning,
            signature=self._transcript.signature,
            answer=self._transcript.answer,
            tool_calls=self._transcript.tool_calls,
            refusal=self._transcript.refusal,
            last_sequence=self._last,
            attempt=self._attempt,
        )

    @property
    def result(self) -> Result:
        """The whole answer. RuntimeError: it is not whole yet."""
        if self._completed is None:
            raise RuntimeError("the stream is not complete: iterate to its end, or call read()")
        return result_of(self.partial, self._completed)


def _sequence_broken(last: int, got: int) -> HeadwayError:
    return HeadwayError(
        grpc.StatusCode.DATA_LOSS,
        "SEQUENCE_BROKEN",
        f"message {got} followed message {last}",
        metadata={"last_sequence": str(last), "sequence": str(got)},
    )


def stream_request(
    completion: request_pb2.Completion,
    request_id: str | None,
    after_sequence: int,
    reattach: bool | None,
) -> completion_pb2.StreamCompletionRequest:
    """ValueError: after_sequence without a request_id."""
    if after_sequence and not request_id:
        raise ValueError("after_sequence needs the request_id it belongs to")
    return completion_pb2.StreamCompletionRequest(
        request_id=_id(request_id, reattach), after_sequence=after_sequence, completion=completion
    )


def complete_request(
    completion: request_pb2.Completion, request_id: str | None, reattach: bool | None
) -> completion_pb2.CompleteRequest:
    return completion_pb2.CompleteRequest(
        request_id=_id(request_id, reattach), completion=completion
    )


def _id(given: str | None, reattach: bool | None) -> str:
    """One is made up only if asked for.

    With an id the daemon goes on for a while when its reader is gone, and keeps the answer: that
    has its price, and who only leaves a stream wants it to end at once.
    """
    return given or (str(uuid.uuid4()) if reattach else "")


def complete_result(wire: completion_pb2.CompleteResponse) -> Result:
    """The result of `Complete`."""
    partial = Partial(
        reasoning=wire.reasoning,
        signature=wire.signature,
        answer=wire.answer,
        tool_calls=tuple(ToolCall(call.id, call.name, call.arguments) for call in wire.tool_calls),
        refusal=wire.refusal,
    )
    return result_of(partial, _decode.completed(wire.completed))
