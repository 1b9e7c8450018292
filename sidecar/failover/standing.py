"""Small things that a session keeps count of."""

from __future__ import annotations

import math

import msgspec

from sidecar.core.target import Resume


class Kept(msgspec.Struct):
    """Tokens of lost attempts that still stand in the transcript."""

    reasoning: int = 0
    answer: int = 0

    @property
    def total(self) -> int:
        return self.reasoning + self.answer

    def along(self, able: Resume, *, handoff: bool) -> int:
        """How many of them an attempt would send along at most, as a prefix or as notes."""
        if able is not Resume.NONE:
            return self.total
        return self.reasoning if handoff else 0


class Stamps(msgspec.Struct):
    """Timings as they come to be known; see `core.events.Timings`."""

    queued_s: float = 0.0
    connect_s: float = 0.0
    first_reasoning_s: float | None = None
    first_answer_s: float | None = None

    def saw(self, answer: bool, since_s: float) -> None:
        """A first delta of a phase; restarted text keeps the first stamp that the caller saw."""
        if answer and self.first_answer_s is None:
            self.first_answer_s = since_s
        elif not answer and self.first_reasoning_s is None:
            self.first_reasoning_s = since_s


class Standing(msgspec.Struct, eq=False):
    """What this request has learned about one of its targets."""

    tries: int = 0
    rate_limited: int = 0
    not_before: float = -math.inf
    out: bool = False
    takes_prefix: bool = True
    # Its last attempt had said something before it failed.
    spoke: bool = False
    # A retry was granted and is not made yet.
    granted: bool = False
