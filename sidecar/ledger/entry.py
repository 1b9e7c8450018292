"""One entry: what one attempt was, what it used and what it cost."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from sidecar.core.events import AttemptCause, Continuation, Outcome, Saved
from sidecar.core.money import FREE, Cost
from sidecar.core.usage import NOTHING, Usage

# `reason` of an entry that the daemon did not live to settle (failure card, H39).
DAEMON_DIED = "DAEMON_DIED"
# No count is taken to be larger: a million dollars, or 10^15 tokens, in one attempt. Sums stay
# within SQLite's 64 bits, so one provider's nonsense does not make every later sum fail.
MOST = 10**15

Counts = TypeVar("Counts", Usage, Cost, Saved)


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One attempt, also a failed, abandoned or hedged one. Never changed once recorded.

    `model` is what was asked of the provider, `response_model` what it said it served ("" if it
    said nothing). `reason` is the failure cause, "" where there was none. `tier` names the price
    that was used, such as "deepseek peak", "" if there was none. Times: `started_ns` and
    `ended_ns` are wall time, nanoseconds since the epoch, UTC; durations are seconds of the loop's
    clock, None where the thing never happened. `saved` is what resuming spared this attempt.

    Written to the inbox as an array: new fields go to the end and have a default, so that an inbox
    left by an older version can be read.
    """

    request_id: str
    attempt: int
    started_ns: int
    ended_ns: int
    provider: str
    model: str
    account: str
    key_alias: str
    cause: AttemptCause
    continuation: Continuation
    outcome: Outcome
    reason: str = ""
    usage: Usage = NOTHING
    cost: Cost = FREE
    tier: str = ""
    response_model: str = ""
    caller: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    route: str = ""
    duration_s: float = 0.0
    first_reasoning_s: float | None = None
    first_answer_s: float | None = None
    saved: Saved = Saved()

    @property
    def key(self) -> tuple[str, int]:
        """What tells one running attempt from all others."""
        return (self.request_id, self.attempt)


def lost(held: Entry) -> Entry:
    """The entry of an attempt that was running when the daemon was killed.

    Tokens and money are the last estimate before that; nobody can know better any more.
    """
    return msgspec.structs.replace(
        held,
        outcome=Outcome.INTERRUPTED,
        reason=DAEMON_DIED,
        usage=msgspec.structs.replace(held.usage, estimated=True),
    )


def bounded(counts: Counts) -> Counts:
    """`counts` with no number over MOST."""
    names = counts.__struct_fields__
    over = {name: MOST for name in names if getattr(counts, name) > MOST}
    return msgspec.structs.replace(counts, **over) if over else counts


def sane(entry: Entry) -> Entry:
    """The entry as any file can hold it: numbers bounded, halves of surrogate pairs replaced."""
    texts = {
        name: _utf8(value)
        for name in Entry.__struct_fields__
        if isinstance(value := getattr(entry, name), str)
    }
    return msgspec.structs.replace(
        entry,
        usage=bounded(entry.usage),
        cost=bounded(entry.cost),
        saved=bounded(entry.saved),
        labels=tuple((_utf8(name), _utf8(value)) for name, value in entry.labels),
        **texts,
    )


def _utf8(text: str) -> str:
    return text.encode(errors="replace").decode()
