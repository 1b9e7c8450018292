"""What a stream is made of: one frozen class for each case of the API's `oneof event`.

Use `match`, or ask an event for the part you want: `event.reasoning`, `event.answer`,
`event.refusal` are its text, or
"" when it is of another kind; `event.tool_call`, `event.attempt`, `event.completed` are the event
itself, or None.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Cause(StrEnum):
    """Why there is an attempt."""

    UNKNOWN = "unknown"
    FIRST = "first"
    RETRY = "retry"
    FAILOVER = "failover"
    HEDGE = "hedge"


class Continuation(StrEnum):
    """How an attempt goes on from what was delivered before."""

    UNKNOWN = "unknown"
    FRESH = "fresh"
    RESUMED = "resumed"
    RESTARTED = "restarted"


class Outcome(StrEnum):
    """How an attempt ended."""

    UNKNOWN = "unknown"
    COMPLETED = "completed"
    FAILED = "failed"
    ABANDONED = "abandoned"
    CANCELLED_HEDGE = "cancelled_hedge"
    INTERRUPTED = "interrupted"


class FinishReason(StrEnum):
    """Why an answer ended. LENGTH_IN_REASONING: the budget was used up before the answer began."""

    UNKNOWN = "unknown"
    STOP = "stop"
    LENGTH = "length"
    LENGTH_IN_REASONING = "length_in_reasoning"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. Cached and written input are part of the input, reasoning is part of the output."""

    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    estimated: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """Money in nano-dollars (1e-9 USD). With `unknown` the amounts are lower bounds."""

    input_nano_usd: int
    reasoning_nano_usd: int
    answer_nano_usd: int
    total_nano_usd: int
    answer_unit_nano_usd: int
    unknown: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """What resuming saved, against starting anew."""

    reasoning_tokens: int
    answer_tokens: int
    nano_usd: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time went, in seconds. None: it never came to that."""

    queued_s: float | None
    connect_s: float | None
    first_reasoning_s: float | None
    first_answer_s: float | None
    total_s: float | None


@dataclass(frozen=True, slots=True)
class AttemptSummary:
    """One attempt, looked back upon: who, why, how it ended, what it cost.

    `dropped_options` names what was asked for and not sent as asked. `provider_trace` is the
    provider's own id of the call, "" if it told none. `provider_cost_nano_usd` is what the
    provider says the call cost, None if it said nothing; `cost` stays Headway's own figure.
    """

    number: int
    provider: str
    model: str
    key_alias: str
    cause: Cause
    continuation: Continuation
    outcome: Outcome
    reason: str
    usage: Usage
    cost: Cost
    duration_s: float | None
    dropped_options: tuple[str, ...] = ()
    provider_trace: str = ""
    provider_cost_nano_usd: int | None = None


@dataclass(frozen=True, slots=True)
class Discarded:
    """What an attempt made void: the ends of the texts, to be erased wherever they were shown."""

    reasoning: str = ""
    answer: str = ""
    refusal: str = ""
    tool_calls: int = 0

    def __bool__(self) -> bool:
        return bool(self.reasoning or self.answer or self.refusal or self.tool_calls)


class _Event:
    """Any event: the answers of an event that is of another kind."""

    __slots__ = ()

    @property
    def reasoning(self) -> str:
        return ""

    @property
    def answer(self) -> str:
        return ""

    @property
    def refusal(self) -> str:
        return ""

    @property
    def tool_call(self) -> "ToolCallDelta | None":
        return None

    @property
    def attempt(self) -> "Attempt | None":
        return None

    @property
    def completed(self) -> "Completed | None":
        return None


@dataclass(frozen=True, slots=True)
class ReasoningDelta(_Event):
    """A piece of the chain of thought."""

    text: str
    signature: str = ""
    sequence: int = 0

    @property
    def reasoning(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class AnswerDelta(_Event):
    """A piece of the answer."""

    text: str
    sequence: int = 0

    @property
    def answer(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ToolCallDelta(_Event):
    """A piece of a tool call: the first has id and name, arguments join without a separator."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    sequence: int = 0

    @property
    def tool_call(self) -> "ToolCallDelta":
        return self


@dataclass(frozen=True, slots=True)
class RefusalDelta(_Event):
    """A piece of the words in which the model declines."""

    text: str
    sequence: int = 0

    @property
    def refusal(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Attempt(_Event):
    """An attempt has begun to answer. The seam rule is applied: `discarded` is what it took."""

    number: int
    provider: str
    model: str
    key_alias: str
    cause: Cause
    continuation: Continuation
    reason: str
    discard_after_sequence: int
    waited_s: float
    discarded: Discarded = Discarded()
    sequence: int = 0

    @property
    def attempt(self) -> "Attempt":
        return self


@dataclass(frozen=True, slots=True)
class Completed(_Event):
    """The end of a stream that succeeded. Usage and cost include lost attempts."""

    finish_reason: FinishReason
    usage: Usage
    cost: Cost
    timings: Timings
    attempts: tuple[AttemptSummary, ...]
    response_model: str
    cached: bool
    saved: Saved | None
    sequence: int = 0

    @property
    def completed(self) -> "Completed":
        return self


Delta: TypeAlias = ReasoningDelta | AnswerDelta | ToolCallDelta | RefusalDelta
Event: TypeAlias = Delta | Attempt | Completed
