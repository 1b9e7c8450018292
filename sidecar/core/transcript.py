"""The text so far of one request, as the caller holds it."""

from __future__ import annotations

import enum

from sidecar.core.events import Answer, Delta, Reasoning, Refusal, ToolCall
from sidecar.core.request import ToolUse


class Phase(enum.Enum):
    """Where the stream stands; what may follow a cut depends on it."""

    NOTHING = "nothing"
    REASONING = "reasoning"
    ANSWER = "answer"
    TOOL_CALL = "tool_call"
    REFUSAL = "refusal"


class Transcript:
    """Collects deltas. Pieces are joined only when somebody asks."""

    __slots__ = ("_answer", "_calls", "_reasoning", "_refusal", "phase", "signature")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: the stream restarts."""
        self._reasoning: list[str] = []
        self._answer: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, _Call] = {}
        self.signature = ""
        self.phase = Phase.NOTHING

    def add(self, delta: Delta) -> None:
        """Append one delta; the phase is that of the newest delta with content."""
        if isinstance(delta, Answer):
            if delta.text:
                self._answer.append(delta.text)
                self.phase = Phase.ANSWER
        elif isinstance(delta, Reasoning):
            self._add_reasoning(delta)
        elif isinstance(delta, ToolCall):
            self._calls.setdefault(delta.index, _Call()).add(delta)
            self.phase = Phase.TOOL_CALL
        elif delta.text:
            self._refusal.append(delta.text)
            self.phase = Phase.REFUSAL

    def _add_reasoning(self, delta: Reasoning) -> None:
        if delta.text:
            self._reasoning.append(delta.text)
            self.phase = Phase.REASONING
        if delta.signature:
            self.signature = delta.signature

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def answer(self) -> str:
        return "".join(self._answer)

    @property
    def refusal(self) -> str:
        return "".join(self._refusal)

    @property
    def tool_calls(self) -> tuple[ToolUse, ...]:
        """The calls in the order of their index."""
        return tuple(self._calls[index].whole() for index in sorted(self._calls))

    @property
    def empty(self) -> bool:
        return self.phase is Phase.NOTHING and not self.signature

    def deltas(self) -> list[Delta]:
        """The whole as the fewest deltas that say the same, for a replay."""
        out: list[Delta] = []
        if self._reasoning or self.signature:
            out.append(Reasoning(self.reasoning, self.signature))
        if self._answer:
            out.append(Answer(self.answer))
        if self._refusal:
            out.append(Refusal(self.refusal))
        for index, call in sorted(self._calls.items()):
            whole = call.whole()
            out.append(ToolCall(index, whole.id, whole.name, whole.arguments))
        return out


class _Call:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.arguments: list[str] = []

    def add(self, delta: ToolCall) -> None:
        self.id = self.id or delta.id
        self.name = self.name or delta.name
        self.arguments.append(delta.arguments)

    def whole(self) -> ToolUse:
        return ToolUse(self.id, self.name, "".join(self.arguments))
