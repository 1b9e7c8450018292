"""What stands of a stream: the deltas received, less those a seam made void, and what they add up
to.

Pure: no I/O, no clock. The whole of failover that a client must know is `Transcript.discard_after`.
"""

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from headway.events import (
    AnswerDelta,
    Attempt,
    AttemptSummary,
    Completed,
    Cost,
    Delta,
    Discarded,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    Saved,
    Timings,
    ToolCallDelta,
    Usage,
)
from headway.v1 import message_pb2


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call. `arguments` is text as the model wrote it; `parsed()` reads it as JSON."""

    id: str
    name: str
    arguments: str

    def parsed(self) -> Any:
        """The arguments as a Python value, {} if there are none. ValueError: they are not JSON."""
        return json.loads(self.arguments) if self.arguments else {}


@dataclass(frozen=True, slots=True)
class Partial:
    """What was delivered of an answer, whole or not. A tool call in it may be cut anywhere."""

    reasoning: str = ""
    signature: str = ""
    answer: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str = ""
    last_sequence: int = 0
    attempt: Attempt | None = None

    @property
    def message(self) -> message_pb2.Message:
        """The assistant's turn, to be sent back with the next request."""
        said = self.answer or self.refusal
        return message_pb2.Message(
            role=message_pb2.ROLE_ASSISTANT,
            content=[message_pb2.ContentPart(text=said)] if said else [],
            reasoning=self.reasoning,
            signature=self.signature,
            tool_calls=[
                message_pb2.ToolCall(id=call.id, name=call.name, arguments=call.arguments)
                for call in self.tool_calls
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Partial):
    """A whole answer, and how it came about. Usage and cost include lost attempts."""

    finish_reason: FinishReason
    usage: Usage
    cost: Cost
    timings: Timings
    attempts: tuple[AttemptSummary, ...]
    response_model: str
    cached: bool
    saved: Saved | None


class Transcript:
    """The deltas that stand, oldest first. Their sequences must rise."""

    def __init__(self) -> None:
        self._deltas: list[Delta] = []

    def add(self, delta: Delta) -> None:
        self._deltas.append(delta)

    def discard_after(self, sequence: int) -> Discarded:
        """The seam rule: drop every delta whose sequence is greater. Returns what they were."""
        first = bisect_right(self._deltas, sequence, key=attrgetter("sequence"))
        dropped = self._deltas[first:]
        del self._deltas[first:]
        return Discarded(
            reasoning=_text(ReasoningDelta, dropped),
            answer=_text(AnswerDelta, dropped),
            refusal=_text(RefusalDelta, dropped),
            tool_calls=len({delta.index for delta in dropped if isinstance(delta, ToolCallDelta)}),
        )

    @property
    def reasoning(self) -> str:
        return _text(ReasoningDelta, self._deltas)

    @property
    def answer(self) -> str:
        return _text(AnswerDelta, self._deltas)

    @property
    def refusal(self) -> str:
        return _text(RefusalDelta, self._deltas)

    @property
    def signature(self) -> str:
        """The last one that stands; a later one replaces an earlier one."""
        signed = (
            delta.signature
            for delta in reversed(self._deltas)
            if isinstance(delta, ReasoningDelta) and delta.signature
        )
        return next(signed, "")

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return joined_calls(delta for delta in self._deltas if isinstance(delta, ToolCallDelta))


def joined_calls(deltas: Iterable[ToolCallDelta]) -> tuple[ToolCall, ...]:
    """The calls that the pieces make up, in order of their index."""
    pieces: dict[int, list[ToolCallDelta]] = {}
    for delta in deltas:
        pieces.setdefault(delta.index, []).append(delta)
    return tuple(_call(pieces[index]) for index in sorted(pieces))


def _call(pieces: Sequence[ToolCallDelta]) -> ToolCall:
    return ToolCall(
        id=next((piece.id for piece in pieces if piece.id), ""),
        name=next((piece.name for piece in pieces if piece.name), ""),
        arguments="".join(piece.arguments for piece in pieces),
    )


def _text(kind: type[ReasoningDelta | AnswerDelta | RefusalDelta], deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, kind))


def result_of(partial: Partial, end: Completed) -> Result:
    """The whole answer, from its text and its end."""
    return Result(
        reasoning=partial.reasoning,
        signature=partial.signature,
        answer=partial.answer,
        tool_calls=partial.tool_calls,
        refusal=partial.refusal,
        last_sequence=partial.last_sequence,
        attempt=partial.attempt,
        finish_reason=end.finish_reason,
        usage=end.usage,
        cost=end.cost,
        timings=end.timings,
        attempts=end.attempts,
        response_model=end.response_model,
        cached=end.cached,
        saved=end.saved,
    )
