"""The seam: does a continuation continue, repeat, or begin anew?

A target that was given a prefix may answer in three ways. It continues (what was asked). It echoes
the prefix, or the end of it, and then continues: the echo is trimmed. It ignores the prefix and
tells the whole text anew: then its text stands alone and the caller must drop what came before.
The splicer holds text back only while the two last cases are possible, never longer than the
prefix itself. A retelling that hides behind words of its own ("Sure, here it is:") is found when
the prefix's opening comes up in it; by then text has gone out, so all of the reply is unusable.

A reply in new words shares nothing with the prefix that could give it away. One sign is left: it
begins as texts begin, with a capital, where a space ought to come first. That may also be the
second half of a name ("JavaScript"), so nothing of such a reply is used and it is asked for anew
without a prefix: the sign being wrong costs one attempt, and never a word.

What cannot be known: whether a reply without that sign continues or says something else. It is
taken for one that continues. Only its profile can tell, so `resume` is never assumed: a target has
it because its provider documents it, or because the configuration says so.
"""

from __future__ import annotations

import enum

from sidecar.core.events import Answer, Delta, Reasoning
from sidecar.core.request import Prefix

# An echo of the prefix's end is one if it is this long and stands in the prefix only there (failure
# card, H07); what a text repeats anyway (rows of a table, a refrain) it may repeat once more.
ANCHOR = 8
# An echo begins at most this far before the prefix's end, unless it begins with the prefix.
LOOK_BACK = 400
# In so much of a reply the prefix's opening must not come up again.
LOOK_AHEAD = 400
# A reply that agrees with the beginning of the prefix for this many characters and then departs
# from it is a new telling. Shorter agreements happen by chance ("I think", "- **"), unless the
# prefix broke off in the middle of a sentence: there nobody goes on as one begins.
RETOLD_AFTER = 40
# Between two of these stands code; and behind these a space, before anything else is said.
FENCE, MARKS = "```", ".,;:!?"


class Seam(enum.Enum):
    """What the reply turned out to be."""

    UNDECIDED = "undecided"
    CONTINUES = "continues"
    ECHOES = "echoes"
    RETELLS = "retells"
    DOUBLES = "doubles"
    DEPARTS = "departs"


class Splicer:
    """Fed with the reply's text, gives out what belongs behind the prefix.

    After RETELLS the text given out (all that was held back included) is a whole of its own.
    DOUBLES: it tells anew what stands already, and was given out in part. DEPARTS: it seems to be
    another text.
    """

    __slots__ = ("_held", "_prefix", "_said", "_starts", "seam")

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._held = ""
        # Where in the prefix an echo may begin; None until its first character is known.
        self._starts: list[int] | None = None
        # What a continuation said so far; None where nobody looks at it any more.
        self._said: str | None = None
        self.seam = Seam.UNDECIDED if prefix else Seam.CONTINUES

    def feed(self, text: str) -> str:
        """The part of `text` (and of what was held back) that may go on now."""
        if self.seam is not Seam.UNDECIDED:
            if self._said is not None:
                self._look(text)
            return text
        held = self._held + text
        if self._may_echo(held):
            self._held = held
            return ""
        return self._decide(held)

    def _may_echo(self, held: str) -> bool:
        """Could the reply still turn out to be an echo that is longer than this?"""
        if not held:
            return True
        if self._starts is None:
            self._starts = _starts(self._prefix, held[0])
        return any(
            len(held) < len(self._prefix) - start and self._prefix.startswith(held, start)
            for start in self._starts
        )

    def _look(self, text: str) -> None:
        """Does what seemed a continuation tell the prefix's opening again?"""
        assert self._said is not None
        self._said = (self._said + text)[:LOOK_AHEAD]
        if self._prefix[:RETOLD_AFTER] in self._said:
            self.seam, self._said = Seam.DOUBLES, None
        elif len(self._said) == LOOK_AHEAD:
            self._said = None

    def end(self) -> str:
        """The reply's text is over: whatever is still held back is decided now."""
        if self.seam is not Seam.UNDECIDED:
            return ""
        return self._decide(self._held)

    def _decide(self, held: str) -> str:
        self._held, prefix = "", self._prefix
        for start in self._starts or ():
            if held.startswith(prefix[start:]):
                self.seam = Seam.ECHOES
                return held[len(prefix) - start :]
        same = _common(held, prefix)
        if same >= RETOLD_AFTER or (same >= ANCHOR and prefix[-1].isalnum()):
            self.seam = Seam.RETELLS
            return held
        if _begins_anew(held, prefix):
            self.seam = Seam.DEPARTS
            return held
        self.seam = Seam.CONTINUES
        if len(prefix) >= RETOLD_AFTER and prefix.find(prefix[:RETOLD_AFTER], 1) < 0:
            self._said = ""
            self._look(held)
        return held


class Joint:
    """The seam of one resumed attempt: deltas in, deltas that belong behind the prefix out.

    `retold`: the reply stands alone, the caller must drop what came before it. `unusable`: nothing
    of the reply can be used, because the target began to think again although its answer had begun,
    or because it tells again what stands already. `doubted`: or because it seems to be another
    text, which proves nothing against the target.
    """

    __slots__ = ("_answer", "_answering", "_reasoning", "doubted", "prefix", "retold", "unusable")

    def __init__(self, prefix: Prefix) -> None:
        self.prefix = prefix
        self._answering = bool(prefix.answer)
        self._reasoning = Splicer("" if self._answering else prefix.reasoning)
        self._answer = Splicer(prefix.answer)
        self.retold = False
        self.doubted = False
        self.unusable = False

    def feed(self, deltas: list[Delta]) -> list[Delta]:
        out: list[Delta] = []
        for delta in deltas:
            if isinstance(delta, Reasoning):
                self._think(delta, out)
            else:
                self._close_reasoning(out)
                self._say(delta, out)
        self._judge()
        return [] if self.unusable else out

    def _judge(self) -> None:
        seams = (self._reasoning.seam, self._answer.seam)
        self.retold = Seam.RETELLS in seams
        self.doubted = Seam.DEPARTS in seams
        self.unusable = self.unusable or Seam.DOUBLES in seams or self.doubted

    def end(self) -> list[Delta]:
        """The reply is over; what was held back goes out."""
        out: list[Delta] = []
        self._close_reasoning(out)
        if text := self._answer.end():
            out.append(Answer(text))
        self._judge()
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


def _starts(prefix: str, first: str) -> list[int]:
    """Where an echo that begins with the character `first` may begin, the longest one first."""
    tail = range(max(len(prefix) - LOOK_BACK, 1), len(prefix) - ANCHOR + 1)
    return [
        start
        for start in (0, *tail)
        if prefix[start] == first
        and (start == 0 or not (prefix[start - 1].isalnum() and first.isalnum()))
        and prefix.find(prefix[start:]) == start
    ]


def _begins_anew(reply: str, prefix: str) -> bool:
    """Does the reply begin a sentence where a word or a mark has no space behind it yet? In code
    names are written so."""
    joins = prefix[-1].islower() or prefix[-1] in MARKS
    return joins and reply[:1].isupper() and prefix.count(FENCE) % 2 == 0


def _common(one: str, other: str) -> int:
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index
    return min(len(one), len(other))
