"""The seam: does a continuation continue, repeat, or begin anew?

A target that was given a prefix may answer in three ways. It continues (what was asked). It echoes
the prefix and then continues: the echo is trimmed. It ignores the prefix and tells the whole text
anew: then its text stands alone and the caller must drop what came before. The splicer holds text
back only while the two last cases are possible, never longer than the prefix itself.
"""

from __future__ import annotations

import enum

from sidecar.core.events import Answer, Delta, Reasoning
from sidecar.core.request import Prefix

# A reply that agrees with the beginning of the prefix for this many characters and then departs
# from it is a new telling. Shorter agreements happen by chance ("I think", "- **").
RETOLD_AFTER = 40


class Seam(enum.Enum):
    """What the reply turned out to be."""

    UNDECIDED = "undecided"
    CONTINUES = "continues"
    ECHOES = "echoes"
    RETELLS = "retells"


class Splicer:
    """Fed with the reply's text, gives out what belongs behind the prefix.

    After RETELLS the text given out (all that was held back included) is a whole of its own.
    """

    __slots__ = ("_held", "_prefix", "seam")

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._held = ""
        self.seam = Seam.UNDECIDED if prefix else Seam.CONTINUES

    def feed(self, text: str) -> str:
        """The part of `text` (and of what was held back) that may go on now."""
        if self.seam is not Seam.UNDECIDED:
            return text
        held = self._held + text
        if self._prefix.startswith(held) and len(held) < len(self._prefix):
            self._held = held
            return ""
        return self._decide(held)

    def end(self) -> str:
        """The reply's text is over: whatever is still held back is decided now."""
        if self.seam is not Seam.UNDECIDED:
            return ""
        return self._decide(self._held)

    def _decide(self, held: str) -> str:
        self._held = ""
        if held.startswith(self._prefix):
            self.seam = Seam.ECHOES
            return held[len(self._prefix) :]
        same = _common(held, self._prefix)
        self.seam = Seam.RETELLS if same >= RETOLD_AFTER else Seam.CONTINUES
        return held


class Joint:
    """The seam of one resumed attempt: deltas in, deltas that belong behind the prefix out.

    `retold`: the reply stands alone, the caller must drop what came before it. `unusable`: the
    target began to think again although its answer had begun; nothing of the reply can be used.
    """

    __slots__ = ("_answer", "_answering", "_reasoning", "retold", "unusable")

    def __init__(self, prefix: Prefix) -> None:
        self._answering = bool(prefix.answer)
        self._reasoning = Splicer("" if self._answering else prefix.reasoning)
        self._answer = Splicer(prefix.answer)
        self.retold = False
        self.unusable = False

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, Reasoning):
                self._think(delta, out)
            else:
                self._close_reasoning(out)
                self._say(delta, out)
        self.retold = Seam.RETELLS in (self._reasoning.seam, self._answer.seam)
        return [] if self.unusable else out

    def end(self) -> list[Delta]:
        """The reply is over; what was held back goes out."""
        out: list[Delta] = []
        self._close_reasoning(out)
        if text := self._answer.end():
            out.append(Answer(text))
        self.retold = Seam.RETELLS in (self._reasoning.seam, self._answer.seam)
        return out

    def _think(self, delta: Reasoning, out: list[Delta]) -> None:
        if self._answering and delta.text:
            self.unusable = True
            return
        text = self._reasoning.feed(delta.text)
        if text or delta.signature:
            out.append(Reasoning(text, delta.signature))

    def _say(self, delta: Delta, out: list[Delta]) -> None:
        if not isinstance(delta, Answer):
            if text := self._answer.end():
                out.append(Answer(text))
            out.append(delta)
        elif text := self._answer.feed(delta.text):
            out.append(Answer(text))

    def _close_reasoning(self, out: list[Delta]) -> None:
        if text := self._reasoning.end():
            out.append(Reasoning(text))


def _common(one: str, other: str) -> int:
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index
    return min(len(one), len(other))
