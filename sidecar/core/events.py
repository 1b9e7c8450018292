"""What a stream is made of: deltas from a decoder, and what the caller gets besides them.

Deltas are not frozen: making one is on the path of every token (a frozen Struct costs the same to
build, but the text of a delta may be replaced once, at the seam of a resumed stream). Nobody
changes a delta after it has left the gateway.
"""

from __future__ import annotations

import enum

import msgspec

from sidecar.core.money import Cost
from sidecar.core.usage import Usage


class Reasoning(msgspec.Struct):
    """A piece of the chain of thought; `signature` is opaque and comes whole, mostly at its end."""

    text: str
    signature: str = ""


class Answer(msgspec.Struct):
    """A piece of the answer."""

    text: str


class ToolCall(msgspec.Struct):
    """A piece of tool call number `index` (0, 1, ...); `arguments` pieces concatenate to JSON.

    `id` and `name` come whole, with the first piece, and are empty afterwards.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class Refusal(msgspec.Struct):
    """A piece of the model's own words for declining."""

    text: str


Delta = Reasoning | Answer | ToolCall | Refusal


class FinishReason(enum.Enum):
    """Why the model stopped, normalised."""

    STOP = "stop"
    LENGTH = "length"
    LENGTH_IN_REASONING = "length_in_reasoning"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"


class AttemptCause(enum.Enum):
    """Why an attempt was made."""

    FIRST = "first"
    RETRY = "retry"
    FAILOVER = "failover"
    HEDGE = "hedge"


class Continuation(enum.Enum):
    """How an attempt relates to what was delivered before it."""

    FRESH = "fresh"
    RESUMED = "resumed"
    RESTARTED = "restarted"


class Outcome(enum.Enum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    ABANDONED = "abandoned"
    CANCELLED_HEDGE = "cancelled_hedge"


class AttemptBegan(msgspec.Struct, frozen=True):
    """An attempt has begun to answer; goes out right before its first delta.

    The caller drops every delta whose sequence is greater than `discard_after_sequence`.
    `reason` is the machine reason why the attempt before it ended ("" for the first).
    """

    number: int
    provider: str
    model: str
    key_alias: str
    cause: AttemptCause
    continuation: Continuation
    reason: str
    discard_after_sequence: int
    waited_s: float


class AttemptSummary(msgspec.Struct, frozen=True):
    """One attempt, ended. `reason` is the failure cause, "" where there was none.

    `dropped_options` names what was asked for and not sent as asked. `provider_trace` is the
    provider's own id of the call, "" if it told none; `provider_cost_nano_usd` what it says the
    call cost, None if it said nothing.
    """

    number: int
    provider: str
    model: str
    key_alias: str
    cause: AttemptCause
    continuation: Continuation
    outcome: Outcome
    reason: str
    usage: Usage
    cost: Cost
    duration_s: float
    dropped_options: tuple[str, ...] = ()
    provider_trace: str = ""
    provider_cost_nano_usd: int | None = None


class Timings(msgspec.Struct, frozen=True):
    """Seconds since the request came in, None where the thing never happened.

    `queued_s` and `connect_s` are durations: all waiting for a lease; the last attempt's time to
    response headers.
    """

    queued_s: float = 0.0
    connect_s: float = 0.0
    first_reasoning_s: float | None = None
    first_answer_s: float | None = None
    total_s: float = 0.0


class Saved(msgspec.Struct, frozen=True):
    """What resuming saved: tokens that a restart would have bought again. `nano_usd` is their price
    as output, less their price as the input that they became: below 0 where that is dearer."""

    reasoning_tokens: int = 0
    answer_tokens: int = 0
    nano_usd: int = 0


class Completed(msgspec.Struct, frozen=True):
    """The last event of a stream that is whole; usage and cost are sums over all attempts."""

    finish_reason: FinishReason
    usage: Usage
    cost: Cost
    timings: Timings
    attempts: tuple[AttemptSummary, ...]
    response_model: str
    cached: bool = False
    saved: Saved = Saved()


Event = Reasoning | Answer | ToolCall | Refusal | AttemptBegan | Completed
