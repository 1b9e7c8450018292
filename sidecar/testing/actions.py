"""What the fake provider does, one small step after the other. A shell carries the steps out.

An attempt is a sequence of these values. Faults are functions from one such sequence to another,
so they know nothing of sockets, and the two shells know nothing of faults.
"""

from __future__ import annotations

import enum

import msgspec


class Kind(enum.Enum):
    """What the bytes of a `Send` are, so that a fault finds its place in a stream."""

    OPENING = "opening"
    REASONING = "reasoning"
    ANSWER = "answer"
    TOOL = "tool"
    FINISH = "finish"
    USAGE = "usage"
    DONE = "done"
    COMMENT = "comment"
    WHOLE = "whole"
    OTHER = "other"


class How(enum.Enum):
    """How a connection is lost.

    CLOSE: the socket closes in good order, but in the middle of the HTTP body. RESET: TCP RST.
    HALF_CLOSE: the provider stops sending and goes on listening. REFUSE: nobody listens (the
    in-memory shell alone can tell it from a reset).
    """

    CLOSE = "close"
    RESET = "reset"
    HALF_CLOSE = "half_close"
    REFUSE = "refuse"


class Begin(msgspec.Struct, frozen=True):
    """The model starts to work: from here on the provider bills the input, and what follows."""


class Wait(msgspec.Struct, frozen=True):
    """Nothing for so many seconds, counted from when the step before was due."""

    seconds: float


class Head(msgspec.Struct, frozen=True):
    """Status and headers. The body is chunked unless there is a `content-length`.

    `until_close` leaves the body without any frame, so that only the end of the connection ends
    it, and a cut looks like the end.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    until_close: bool = False


class Send(msgspec.Struct, frozen=True):
    """Bytes of the body, and the tokens that they carry; empty data counts hidden tokens."""

    data: bytes
    kind: Kind = Kind.OTHER
    reasoning: int = 0
    answer: int = 0

    @property
    def tokens(self) -> int:
        return self.reasoning + self.answer


class Finish(msgspec.Struct, frozen=True):
    """The HTTP body ends as it should; whether the model's stream does is another matter."""


class Cut(msgspec.Struct, frozen=True):
    """The provider ends the connection, wherever the body is."""

    how: How = How.CLOSE


Action = Begin | Wait | Head | Send | Finish | Cut
