"""One watchdog per attempt: a timer that looks at a time stamp, not a timeout per event.

Moving a stage costs a time stamp; the timer itself is set anew only when it fires too early or a
new stage would end sooner (asyncio.timeout per event costs ten times as much).
"""

from __future__ import annotations

import asyncio
import enum
import math
from types import TracebackType

import msgspec

from sidecar.core.failure import Cause, Failure
from sidecar.core.target import Phases


class Stage(enum.IntEnum):
    """Where an attempt stands, as far as its clocks go."""

    HEADERS = 0
    FIRST = 1
    REASONING = 2
    ANSWER = 3
    TAIL = 4
    PAUSED = 5


class TimeUp(Exception):
    """A stage took too long. `failure` is None where that is the end and no failure (TAIL)."""

    def __init__(self, stage: Stage, failure: Failure | None) -> None:
        super().__init__(stage.name)
        self.stage = stage
        self.failure = failure


class DeadlinePassed(Exception):
    """The caller's own deadline came first."""


class Waits(msgspec.Struct, frozen=True):
    """What an attempt waits for, since when, and when it is given up if nothing comes (infinity:
    never). Loop seconds."""

    stage: Stage
    since: float
    until: float


class Watchdog:
    """Used as `async with`; everything awaited inside is watched, save while paused.

    The deadline and the attempt's total run on in every stage. While PAUSED (the caller does not
    read) no provider is to blame for silence.
    """

    __slots__ = (
        "_armed_for",
        "_end",
        "_end_is_deadline",
        "_handle",
        "_limits",
        "_loop",
        "_since",
        "_stage",
        "_task",
        "_verdict",
    )

    def __init__(self, phases: Phases, deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = (
            phases.connect_s + phases.headers_s,
            phases.first_s,
            max(phases.reasoning_gap_s, phases.turn_s),
            phases.answer_gap_s,
            phases.tail_s,
            math.inf,
        )
        now = self._loop.time()
        total = now + phases.total_s if phases.total_s is not None else math.inf
        self._end = min(total, deadline)
        self._end_is_deadline = deadline <= total
        self._since = now
        self._stage = Stage.HEADERS
        self._armed_for = math.inf
        self._handle: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._verdict: Exception | None = None

    def enter(self, stage: Stage) -> None:
        """Something happened: `stage` begins (again) now."""
        now = self._loop.time()
        self._since = now
        self._stage = stage
        if now + self._limits[stage] < self._armed_for:
            self._arm()

    @property
    def waits(self) -> Waits:
        """What the attempt waits for."""
        until = min(self._since + self._limits[self._stage], self._end)
        if self._stage is Stage.PAUSED and not self._end_is_deadline:
            until = math.inf
        return Waits(self._stage, self._since, until)

    def silence(self) -> tuple[float, float]:
        """How long the present stage has lasted, and how long it may, in seconds."""
        return self._loop.time() - self._since, self._limits[self._stage]

    async def __aenter__(self) -> Watchdog:
        if self._since >= self._end and self._end_is_deadline:
            # What a lease was waited for may come in the very moment of the deadline: nothing is
            # sent any more that somebody would bill.
            raise DeadlinePassed
        self._task = asyncio.current_task()
        self._arm()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._verdict is None or self._task is None:
            return
        others = self._task.uncancel()
        # While the caller does not read, it is the caller's frame that is cancelled, and we are
        # closed on its way out: what ends it is the verdict all the same.
        if kind in (asyncio.CancelledError, GeneratorExit) and others == 0:
            raise self._verdict from error

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = min(self._since + self._limits[self._stage], self._end)
        self._handle = (
            None if self._armed_for == math.inf else self._loop.call_at(self._armed_for, self._look)
        )

    def _look(self) -> None:
        now = self._loop.time()
        if now < min(self._since + self._limits[self._stage], self._end):
            self._arm()
            return
        self._handle = None
        if self._stage is Stage.PAUSED and not self._end_is_deadline:
            self._armed_for = math.inf  # not the caller's to pay for: looked at when it has read
            return
        self._armed_for = -math.inf  # nothing is armed again after the verdict
        self._verdict = self._judge(now)
        if self._task is not None:
            self._task.cancel()

    def _judge(self, now: float) -> Exception:
        if now >= self._end:
            if self._end_is_deadline:
                return DeadlinePassed()
            return TimeUp(self._stage, _failure(Cause.TIMEOUT_TOTAL, "the attempt", now))
        waited_s = now - self._since
        return TimeUp(
            self._stage,
            {
                Stage.HEADERS: _failure(Cause.TIMEOUT_HEADERS, "no response headers", waited_s),
                Stage.FIRST: _failure(Cause.TIMEOUT_FIRST, "no first token", waited_s),
                Stage.REASONING: _failure(Cause.STALLED, "silence in reasoning", waited_s),
                Stage.ANSWER: _failure(Cause.STALLED, "silence in the answer", waited_s),
            }.get(self._stage),
        )


def _failure(cause: Cause, what: str, waited_s: float) -> Failure:
    if cause is Cause.TIMEOUT_TOTAL:
        return Failure(cause, f"{what} took longer than its total allowance")
    return Failure(cause, f"{what} for {waited_s:.1f} s")
