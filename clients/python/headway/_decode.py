"""Protobuf messages to the client's own values. Pure.

Cases and values that only a newer daemon knows are passed over.
"""

from collections.abc import Callable
from typing import Final

from headway._wire import seconds, words
from headway.events import (
    AnswerDelta,
    Attempt,
    AttemptSummary,
    Cause,
    Completed,
    Continuation,
    Cost,
    Event,
    FinishReason,
    Outcome,
    ReasoningDelta,
    RefusalDelta,
    Saved,
    Timings,
    ToolCallDelta,
    Usage,
)
from headway.v1 import completion_pb2, event_pb2, usage_pb2

_CAUSES: Final = words(event_pb2.AttemptCause, Cause, "ATTEMPT_CAUSE_")
_CONTINUATIONS: Final = words(event_pb2.AttemptContinuation, Continuation, "ATTEMPT_CONTINUATION_")
_OUTCOMES: Final = words(event_pb2.AttemptOutcome, Outcome, "ATTEMPT_OUTCOME_")
_FINISHES: Final = words(event_pb2.FinishReason, FinishReason, "FINISH_REASON_")


def event(message: completion_pb2.StreamCompletionResponse) -> Event | None:
    """The event of a message; None for a case this client does not know."""
    decode = _EVENTS.get(message.WhichOneof("event") or "")
    return decode(message) if decode else None


def _reasoning(message: completion_pb2.StreamCompletionResponse) -> Event:
    delta = message.reasoning
    return ReasoningDelta(delta.text, delta.signature, message.sequence)


def _answer(message: completion_pb2.StreamCompletionResponse) -> Event:
    return AnswerDelta(message.answer.text, message.sequence)


def _tool_call(message: completion_pb2.StreamCompletionResponse) -> Event:
    delta = message.tool_call
    return ToolCallDelta(delta.index, delta.id, delta.name, delta.arguments, message.sequence)


def _refusal(message: completion_pb2.StreamCompletionResponse) -> Event:
    return RefusalDelta(message.refusal.text, message.sequence)


def _attempt(message: completion_pb2.StreamCompletionResponse) -> Event:
    wire = message.attempt
    return Attempt(
        number=wire.number,
        provider=wire.provider,
        model=wire.model,
        key_alias=wire.key_alias,
        cause=_CAUSES.get(wire.cause, Cause.UNKNOWN),
        continuation=_CONTINUATIONS.get(wire.continuation, Continuation.UNKNOWN),
        reason=wire.reason,
        discard_after_sequence=wire.discard_after_sequence,
        waited_s=seconds(wire.waited),
        sequence=message.sequence,
    )


def _completed(message: completion_pb2.StreamCompletionResponse) -> Event:
    return completed(message.completed, message.sequence)


_EVENTS: Final[dict[str, Callable[[completion_pb2.StreamCompletionResponse], Event]]] = {
    "reasoning": _reasoning,
    "answer": _answer,
    "tool_call": _tool_call,
    "refusal": _refusal,
    "attempt": _attempt,
    "completed": _completed,
}


def completed(wire: event_pb2.Completed, sequence: int = 0) -> Completed:
    return Completed(
        finish_reason=_FINISHES.get(wire.finish_reason, FinishReason.UNKNOWN),
        usage=usage(wire.usage),
        cost=cost(wire.cost),
        timings=_timings(wire.timings),
        attempts=tuple(_summary(attempt) for attempt in wire.attempts),
        response_model=wire.response_model,
        cached=wire.cached,
        saved=_saved(wire.saved) if wire.HasField("saved") else None,
        sequence=sequence,
    )


def _summary(wire: event_pb2.AttemptSummary) -> AttemptSummary:
    return AttemptSummary(
        number=wire.number,
        provider=wire.provider,
        model=wire.model,
        key_alias=wire.key_alias,
        cause=_CAUSES.get(wire.cause, Cause.UNKNOWN),
        continuation=_CONTINUATIONS.get(wire.continuation, Continuation.UNKNOWN),
        outcome=_OUTCOMES.get(wire.outcome, Outcome.UNKNOWN),
        reason=wire.reason,
        usage=usage(wire.usage),
        cost=cost(wire.cost),
        duration_s=seconds(wire.duration) if wire.HasField("duration") else None,
        dropped_options=tuple(wire.dropped_options),
        provider_trace=wire.provider_trace,
        provider_cost_nano_usd=(
            wire.provider_cost_nano_usd if wire.HasField("provider_cost_nano_usd") else None
        ),
    )


def usage(wire: usage_pb2.Usage) -> Usage:
    return Usage(
        wire.input_tokens,
        wire.cached_input_tokens,
        wire.cache_write_tokens,
        wire.output_tokens,
        wire.reasoning_tokens,
        wire.estimated,
    )


def cost(wire: usage_pb2.Cost) -> Cost:
    return Cost(
        wire.input_nano_usd,
        wire.reasoning_nano_usd,
        wire.answer_nano_usd,
        wire.total_nano_usd,
        wire.answer_unit_nano_usd,
        wire.unknown,
    )


def _saved(wire: event_pb2.Saved) -> Saved:
    return Saved(wire.reasoning_tokens, wire.answer_tokens, wire.nano_usd)


def _timings(wire: event_pb2.Timings) -> Timings:
    return Timings(
        queued_s=seconds(wire.queued) if wire.HasField("queued") else None,
        connect_s=seconds(wire.connect) if wire.HasField("connect") else None,
        first_reasoning_s=seconds(wire.first_reasoning)
        if wire.HasField("first_reasoning")
        else None,
        first_answer_s=seconds(wire.first_answer) if wire.HasField("first_answer") else None,
        total_s=seconds(wire.total) if wire.HasField("total") else None,
    )
