"""From where the next attempt starts: the text so far, as the target can take it.

The table of DESIGN section 5, "Failover and resume", as one pure function.
"""

from __future__ import annotations

import msgspec

from sidecar.core.events import Continuation
from sidecar.core.request import OnInterruption, Prefix
from sidecar.core.target import Resume
from sidecar.core.transcript import Phase, Transcript

# Text shorter than this is not worth a continuation: an echo of it could not be told from chance
# (the anchor of failure card H07 is 8 characters), and buying it again costs next to nothing.
SHORTEST_PREFIX = 8


class Start(msgspec.Struct, frozen=True):
    """How an attempt begins. `prefix` is what the target is to continue, None for a fresh one.

    `notes` is kept reasoning that is given to a target which can continue none (handoff).
    """

    continuation: Continuation
    prefix: Prefix | None = None
    notes: str = ""


FRESH = Start(Continuation.FRESH)
ANEW = Start(Continuation.RESTARTED)


def begin(transcript: Transcript, able: Resume, policy: OnInterruption, notes: str = "") -> Start:
    """The best honest start for a target that is `able` to that much. `notes` is the reasoning
    before the answer, where the route allows to hand it on."""
    if transcript.empty:
        return FRESH
    if policy is not OnInterruption.RESUME:
        return ANEW
    start = _continued(transcript, able)
    if start is not ANEW or len(notes) < SHORTEST_PREFIX or transcript.phase is Phase.REFUSAL:
        return start
    thinks = transcript.phase is Phase.REASONING
    return Start(Continuation.RESUMED if thinks else Continuation.RESTARTED, notes=notes)


def _continued(transcript: Transcript, able: Resume) -> Start:
    if able is Resume.NONE:
        return ANEW
    if transcript.phase is Phase.REASONING:
        return _from_reasoning(transcript.reasoning, able)
    if transcript.phase is Phase.ANSWER:
        return _from_answer(transcript.reasoning, transcript.answer, able)
    # Tool-call arguments that were cut are never continued; nor is a refusal.
    return ANEW


def _from_reasoning(reasoning: str, able: Resume) -> Start:
    if able is not Resume.PREFIX or len(reasoning) < SHORTEST_PREFIX:
        return ANEW
    return Start(Continuation.RESUMED, Prefix(reasoning=reasoning))


def _from_answer(reasoning: str, answer: str, able: Resume) -> Start:
    if len(answer) < SHORTEST_PREFIX:
        return ANEW
    kept = reasoning if able is Resume.PREFIX else ""
    return Start(Continuation.RESUMED, Prefix(reasoning=kept, answer=answer))
