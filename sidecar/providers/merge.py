"""Deltas on their way out: neighbours of one phase become one; phases never mix."""

from __future__ import annotations

from sidecar.core.events import Answer, Delta, Reasoning, Refusal, ToolCall

_NONE, _REASONING, _ANSWER = 0, 1, 2


class Merger:
    """Collects the deltas of one read of the socket, and remembers which phases were ever seen."""

    __slots__ = (
        "_kind",
        "_more",
        "_other_chars",
        "_out",
        "_reasoning_chars",
        "_text",
        "answer_pieces",
        "answered",
        "called",
        "reasoned",
        "reasoning_pieces",
        "refused",
    )

    def __init__(self) -> None:
        # The phase that speaks, its first piece, and those after it: mostly there is but one.
        self._kind = _NONE
        self._text = ""
        self._more: list[str] = []
        self._out: list[Delta] = []
        self.reasoned = False
        self.answered = False
        self.called = False
        self.refused = False
        self.reasoning_pieces = 0
        self.answer_pieces = 0
        self._reasoning_chars = 0
        self._other_chars = 0

    def chars(self) -> tuple[int, int]:
        """Characters of reasoning, and of everything else, so far."""
        waiting = len(self._text) + sum(map(len, self._more)) if self._kind else 0
        thought = waiting if self._kind == _REASONING else 0
        return self._reasoning_chars + thought, self._other_chars + waiting - thought

    def reasoning(self, text: str) -> None:
        if text:
            self.reasoning_pieces += 1
            if self._kind == _REASONING:
                self._more.append(text)
            else:
                if self._kind:
                    self._flush()
                self._kind, self._text = _REASONING, text
                self.reasoned = True

    def answer(self, text: str) -> None:
        if text:
            self.answer_pieces += 1
            if self._kind == _ANSWER:
                self._more.append(text)
            else:
                if self._kind:
                    self._flush()
                self._kind, self._text = _ANSWER, text
                self.answered = True

    def signature(self, signature: str) -> None:
        """An opaque signature; it belongs to the reasoning before it, and replaces an older one."""
        if not signature:
            return
        if self._kind == _REASONING:
            self._flush()
        last = self._out[-1] if self._out and self._kind == _NONE else None
        if isinstance(last, Reasoning):
            last.signature = signature
        else:
            self._flush()
            self._out.append(Reasoning("", signature))

    def refusal(self, text: str) -> None:
        if text:
            self._flush()
            self.refused = True
            self._other_chars += len(text)
            self.answer_pieces += 1
            last = self._out[-1] if self._out else None
            if isinstance(last, Refusal):
                last.text += text
            else:
                self._out.append(Refusal(text))

    def tool_call(self, index: int, id: str, name: str, arguments: str) -> None:
        """A piece of a call; a further piece of the same call is joined to the one before."""
        self._flush()
        self.called = True
        self._other_chars += len(name) + len(arguments)
        self.answer_pieces += 1
        last = self._out[-1] if self._out else None
        if isinstance(last, ToolCall) and last.index == index and not id and not name:
            last.arguments += arguments
        else:
            self._out.append(ToolCall(index, id, name, arguments))

    def take(self) -> list[Delta]:
        """Everything since the last take, in order."""
        if self._kind:
            self._flush()
        elif not self._out:
            return []
        out, self._out = self._out, []
        return out

    def _flush(self) -> None:
        kind, text = self._kind, self._text
        if self._more:
            text += "".join(self._more)
            self._more.clear()
        if kind == _REASONING:
            self._reasoning_chars += len(text)
            self._out.append(Reasoning(text))
        elif kind == _ANSWER:
            self._other_chars += len(text)
            self._out.append(Answer(text))
        self._kind = _NONE
