"""From the events of core to the messages of the stream."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from headway.v1 import completion_pb2, event_pb2, usage_pb2

from sidecar.core.events import (
    Answer,
    AttemptBegan,
    AttemptCause,
    AttemptSummary,
    Completed,
    Continuation,
    Event,
    FinishReason,
    Outcome,
    Reasoning,
    Refusal,
    Saved,
    Timings,
    ToolCall,
)
from sidecar.core.money import Cost, answer_unit_nano_usd
from sidecar.core.usage import Usage

Response = completion_pb2.StreamCompletionResponse
NOTHING_SAVED = Saved()

CAUSES = {
    AttemptCause.FIRST: event_pb2.ATTEMPT_CAUSE_FIRST,
    AttemptCause.RETRY: event_pb2.ATTEMPT_CAUSE_RETRY,
    AttemptCause.FAILOVER: event_pb2.ATTEMPT_CAUSE_FAILOVER,
    AttemptCause.HEDGE: event_pb2.ATTEMPT_CAUSE_HEDGE,
}
CONTINUATIONS = {
    Continuation.FRESH: event_pb2.ATTEMPT_CONTINUATION_FRESH,
    Continuation.RESUMED: event_pb2.ATTEMPT_CONTINUATION_RESUMED,
    Continuation.RESTARTED: event_pb2.ATTEMPT_CONTINUATION_RESTARTED,
}
OUTCOMES = {
    Outcome.COMPLETED: event_pb2.ATTEMPT_OUTCOME_COMPLETED,
    Outcome.FAILED: event_pb2.ATTEMPT_OUTCOME_FAILED,
    Outcome.INTERRUPTED: event_pb2.ATTEMPT_OUTCOME_INTERRUPTED,
    Outcome.ABANDONED: event_pb2.ATTEMPT_OUTCOME_ABANDONED,
    Outcome.CANCELLED_HEDGE: event_pb2.ATTEMPT_OUTCOME_CANCELLED_HEDGE,
}
FINISHES = {
    FinishReason.STOP: event_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: event_pb2.FINISH_REASON_LENGTH,
    FinishReason.LENGTH_IN_REASONING: event_pb2.FINISH_REASON_LENGTH_IN_REASONING,
    FinishReason.TOOL_CALLS: event_pb2.FINISH_REASON_TOOL_CALLS,
    FinishReason.CONTENT_FILTER: event_pb2.FINISH_REASON_CONTENT_FILTER,
    FinishReason.REFUSAL: event_pb2.FINISH_REASON_REFUSAL,
}


def response(sequence: int, event: Event) -> Response:
    """Message number `sequence` of a stream. The two deltas of every token come first."""
    kind = type(event)
    if kind is Answer:
        return Response(sequence=sequence, answer=event_pb2.AnswerDelta(text=event.text))  # type: ignore[union-attr]
    if kind is Reasoning:
        delta = event_pb2.ReasoningDelta(text=event.text, signature=event.signature)  # type: ignore[union-attr]
        return Response(sequence=sequence, reasoning=delta)
    return _rare(sequence, event)


def _rare(sequence: int, event: Event) -> Response:
    if isinstance(event, ToolCall):
        call = event_pb2.ToolCallDelta(
            index=event.index, id=event.id, name=event.name, arguments=event.arguments
        )
        return Response(sequence=sequence, tool_call=call)
    if isinstance(event, AttemptBegan):
        return Response(sequence=sequence, attempt=_attempt(event))
    if isinstance(event, Refusal):
        return Response(sequence=sequence, refusal=event_pb2.RefusalDelta(text=event.text))
    assert isinstance(event, Completed)
    return Response(sequence=sequence, completed=completed(event))


def _attempt(event: AttemptBegan) -> event_pb2.Attempt:
    return event_pb2.Attempt(
        number=event.number,
        provider=event.provider,
        model=event.model,
        key_alias=event.key_alias,
        cause=CAUSES[event.cause],
        continuation=CONTINUATIONS[event.continuation],
        reason=event.reason,
        discard_after_sequence=event.discard_after_sequence,
        waited=duration(event.waited_s),
    )


def completed(event: Completed) -> event_pb2.Completed:
    return event_pb2.Completed(
        finish_reason=FINISHES[event.finish_reason],
        usage=usage(event.usage),
        cost=cost(event.cost, event.usage),
        timings=_timings(event.timings),
        attempts=[_summary(attempt) for attempt in event.attempts],
        response_model=event.response_model,
        cached=event.cached,
        saved=saved(event.saved),
    )


def saved(value: Saved) -> event_pb2.Saved | None:
    """What resuming saved, None (an absent field) if that is nothing."""
    if value == NOTHING_SAVED:
        return None
    return event_pb2.Saved(
        reasoning_tokens=value.reasoning_tokens,
        answer_tokens=value.answer_tokens,
        nano_usd=value.nano_usd,
    )


def _summary(attempt: AttemptSummary) -> event_pb2.AttemptSummary:
    return event_pb2.AttemptSummary(
        number=attempt.number,
        provider=attempt.provider,
        model=attempt.model,
        key_alias=attempt.key_alias,
        cause=CAUSES[attempt.cause],
        continuation=CONTINUATIONS[attempt.continuation],
        outcome=OUTCOMES[attempt.outcome],
        reason=attempt.reason,
        usage=usage(attempt.usage),
        cost=cost(attempt.cost, attempt.usage),
        duration=duration(attempt.duration_s),
        dropped_options=attempt.dropped_options,
        provider_trace=attempt.provider_trace,
        provider_cost_nano_usd=attempt.provider_cost_nano_usd,
    )


def usage(value: Usage) -> usage_pb2.Usage:
    return usage_pb2.Usage(
        input_tokens=value.input_tokens,
        cached_input_tokens=value.cached_input_tokens,
        cache_write_tokens=value.cache_write_tokens,
        output_tokens=value.output_tokens,
        reasoning_tokens=value.reasoning_tokens,
        estimated=value.estimated,
    )


def cost(value: Cost, used: Usage) -> usage_pb2.Cost:
    return usage_pb2.Cost(
        input_nano_usd=value.input_nano_usd,
        reasoning_nano_usd=value.reasoning_nano_usd,
        answer_nano_usd=value.answer_nano_usd,
        total_nano_usd=value.total_nano_usd,
        answer_unit_nano_usd=answer_unit_nano_usd(value, used),
        unknown=value.unknown,
    )


def _timings(timings: Timings) -> event_pb2.Timings:
    out = event_pb2.Timings(
        queued=duration(timings.queued_s),
        connect=duration(timings.connect_s),
        total=duration(timings.total_s),
    )
    if timings.first_reasoning_s is not None:
        out.first_reasoning.CopyFrom(duration(timings.first_reasoning_s))
    if timings.first_answer_s is not None:
        out.first_answer.CopyFrom(duration(timings.first_answer_s))
    return out


def duration(seconds: float) -> Duration:
    nanos = max(round(seconds * 1e9), 0)
    return Duration(seconds=nanos // 1_000_000_000, nanos=nanos % 1_000_000_000)
