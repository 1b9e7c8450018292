"""Headway's Python client: stream reasoning and answer of any provider's language model from the
daemon next door.

    from headway import Client

    with Client() as client, client.stream("default", "Why is the sky blue?") as stream:
        for event in stream:
            print(event.reasoning or event.answer, end="", flush=True)
    print(stream.result.cost.total_nano_usd)

What belongs here: the client (`Client`, `AsyncClient`) and what it hands out. `_state`,
`transcript`, `_request`, `_decode`, `_control`, `errors` are pure; `client` and `aio` do the I/O
and decide nothing; `_channel` alone reads the environment. What does not: anything a daemon does.
The protobuf messages are in `headway.v1`.
"""

from headway.aio import AsyncClient, AsyncStream
from headway.client import Client, Stream
from headway.errors import HeadwayError, Violation
from headway.events import (
    AnswerDelta,
    Attempt,
    AttemptSummary,
    Cause,
    Completed,
    Continuation,
    Cost,
    Delta,
    Discarded,
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
from headway.options import Messages, Options
from headway.transcript import Partial, Result, ToolCall, Transcript

__all__ = [
    "AnswerDelta",
    "AsyncClient",
    "AsyncStream",
    "Attempt",
    "AttemptSummary",
    "Cause",
    "Client",
    "Completed",
    "Continuation",
    "Cost",
    "Delta",
    "Discarded",
    "Event",
    "FinishReason",
    "HeadwayError",
    "Messages",
    "Options",
    "Outcome",
    "Partial",
    "ReasoningDelta",
    "RefusalDelta",
    "Result",
    "Saved",
    "Stream",
    "Timings",
    "ToolCall",
    "ToolCallDelta",
    "Transcript",
    "Usage",
    "Violation",
]
