"""Admission: how many may be inside at all, and who may look for a lease next.

Bounded and fair. A request beyond the bound is turned away at once with the reason; inside, one
head a route looks for a lease while the others wait their turn, in the order of the fair queue.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from sidecar.core.clock import Clock
from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.request import Completion, Image, Priority, Request, Text
from sidecar.gateway.pulse import Pulse
from sidecar.limits.queue import FairQueue, Ticket

# A queue that is full moves on at about this pace, seconds; told as RetryInfo.
RETRY_WHEN_FULL_S = 1.0
# Of the room there is, so much may be filled before a priority is turned away: what can wait goes
# first, and somebody at a keyboard still finds a place.
SHARES: Mapping[Priority, float] = {
    Priority.INTERACTIVE: 1.0,
    Priority.NORMAL: 0.95,
    Priority.BATCH: 0.8,
}
# Bytes of prompts inside: what is held for as long as a stream runs, to be sent again to another
# target. With 4 bytes a token this is sixty million tokens.
MOST_BYTES = 256 * 1024 * 1024


class QueueView(msgspec.Struct, frozen=True):
    """One route's queue for people: its head, which looks for a lease, counts as waiting.

    `oldest` is since when the longest waits (loop seconds), `callers` how many of each wait,
    `work_s` the work behind the head, in seconds of refill of the bottleneck.
    """

    waiting: int
    oldest: float
    callers: Mapping[str, int]
    work_s: float


class Admission:
    """The door. `most_streams` bounds what runs or waits at once, in requests; `most_bytes` what
    their prompts take. `shed` counts those that were turned away for want of room.

    `closed`: nobody comes in any more; `over`: whoever is still inside is ended. `weights`: each
    caller's share of a queue, 1 for those not in it; may be replaced at any time.
    """

    def __init__(
        self,
        clock: Clock,
        most_streams: int,
        most_waiting: int,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._clock = clock
        self._most_streams = most_streams
        self._most_bytes = most_bytes
        self.most_waiting = most_waiting
        self.weights: Mapping[str, float] = {}
        self._lines: dict[str, _Turns] = {}
        self.active = 0
        self.bytes = 0
        self.total = 0
        self.shed = 0
        self.closed = False
        self.over = False
        self._emptied = Pulse()

    async def wait_empty(self, at_most_s: float) -> None:
        """Return as soon as nobody is inside, or after `at_most_s` seconds."""
        until = self._clock.now() + at_most_s
        while self.active and (left_s := until - self._clock.now()) > 0:
            await self._emptied.wait(left_s)

    @contextmanager
    def enter(self, priority: Priority = Priority.INTERACTIVE, size: int = 0) -> Iterator[None]:
        """Be inside with `size` bytes for as long as the block lasts. Raises RequestFailed."""
        if self.closed:
            raise RequestFailed(
                Reason.DRAINING,
                "the daemon is shutting down; send the request to its successor",
                retry_after_s=RETRY_WHEN_FULL_S,
            )
        self._check_room(SHARES[priority], size)
        self.active += 1
        self.bytes += size
        self.total += 1
        try:
            yield
        finally:
            self.active -= 1
            self.bytes -= size
            if not self.active:
                self._emptied.fire()

    def _check_room(self, share: float, size: int) -> None:
        why = ""
        if self.active >= math.ceil(self._most_streams * share):
            why = f"{self.active} streams are open, the most that is allowed"
        elif self.active and self.bytes + size > self._most_bytes * share:
            why = f"{self.bytes} bytes of prompts are held, the most that is allowed"
        if why:
            self.shed += 1
            raise queue_full(why if share == 1.0 else f"{why} for this priority")

    async def wait_turn(self, route: str, request: Request, work_s: float) -> None:
        """Wait until this request is the head of `route`; it then is, until `pass_turn`.

        `work_s` is what it takes of the bottleneck, in seconds of refill. Raises RequestFailed when
        the queue is full, or the deadline comes first.
        """
        turns = self._lines.get(route)
        if turns is None:
            turns = self._lines[route] = _Turns(self.most_waiting)
        try:
            weight = self.weights.get(request.completion.caller, 1.0)
            await turns.wait(request, work_s, weight, self._clock.now())
        except RequestFailed as error:
            self.shed += error.reason is Reason.QUEUE_FULL
            raise
        finally:
            self._forget(route)

    def has_head(self, route: str) -> bool:
        """Is somebody looking for a lease on `route`, so that others wait?"""
        return route in self._lines

    def pass_turn(self, route: str) -> None:
        """The head has what it waited for, or gave up: the next one's turn."""
        self._lines[route].next()
        self._forget(route)

    def _forget(self, route: str) -> None:
        """A line with nobody in it is not kept: callers may name any model of a provider."""
        turns = self._lines.get(route)
        if turns is not None and turns.idle:
            del self._lines[route]

    def waiting(self) -> dict[str, tuple[int, float]]:
        """By route: how many wait behind its head, and since when the longest (loop seconds)."""
        return {name: (len(turns), turns.oldest()) for name, turns in self._lines.items()}

    def queues(self) -> dict[str, QueueView]:
        """By route: who waits, the head included."""
        return {name: turns.view() for name, turns in self._lines.items()}


def held_bytes(completion: Completion) -> int:
    """What a request holds in memory while it runs, about: its texts and images."""
    size = 0
    for message in completion.messages:
        size += len(message.reasoning)
        for part in message.content:
            if isinstance(part, Text):
                size += len(part.text)
            else:
                size += len(part.data if isinstance(part, Image) else part.url)
        size += sum(len(call.arguments) for call in message.tool_calls)
    return size


def queue_full(why: str) -> RequestFailed:
    return RequestFailed(
        Reason.QUEUE_FULL,
        f"{why}; retry later or raise the limit in `server`",
        retry_after_s=RETRY_WHEN_FULL_S,
    )


class _Waiter(msgspec.Struct, eq=False):
    """Somebody in the queue: `turn` is set when it becomes the head, `since` is loop seconds."""

    turn: asyncio.Future[None]
    since: float


class _Turns:
    """The queue of one route and its head."""

    def __init__(self, most_waiting: int) -> None:
        self._queue: FairQueue[_Waiter] = FairQueue(max_count=most_waiting)
        # Whose turn it is, and since when it has waited; None: nobody's.
        self._head: tuple[str, float] | None = None

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def idle(self) -> bool:
        return self._head is None and len(self._queue) == 0

    def oldest(self) -> float:
        """Since when the longest waits; infinity if nobody does."""
        return min((ticket.item.since for ticket in self._queue), default=math.inf)

    def view(self) -> QueueView:
        callers = Counter(ticket.caller for ticket in self._queue)
        oldest = self.oldest()
        if self._head is not None:
            caller, since = self._head
            callers[caller] += 1
            oldest = min(oldest, since)
        return QueueView(callers.total(), oldest, callers, self._queue.work_s)

    async def wait(self, request: Request, work_s: float, weight: float, now: float) -> None:
        if self._head is None:
            self._head = (request.completion.caller, now)
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        ticket = self._push(_Waiter(turn, now), request, work_s, weight)
        timer = loop.call_at(request.deadline, _too_late, turn)
        try:
            await turn
        except BaseException:
            if not self._queue.remove(ticket) and _has_come(turn):
                self.next()  # the turn had come; somebody else may have it
            raise
        finally:
            timer.cancel()

    def next(self) -> None:
        """The head is done; the next in the queue becomes it."""
        while (ticket := self._queue.pop()) is not None:
            if not ticket.item.turn.done():
                ticket.item.turn.set_result(None)
                self._head = (ticket.caller, ticket.item.since)
                return
        self._head = None

    def _push(
        self, waiter: _Waiter, request: Request, work_s: float, weight: float
    ) -> Ticket[_Waiter]:
        asked = request.completion
        ticket = self._queue.push(waiter, asked.caller, asked.priority, work_s, weight)
        if ticket is None:
            raise queue_full(f"{len(self._queue)} requests wait already, the most that is allowed")
        return ticket


def _has_come(turn: asyncio.Future[None]) -> bool:
    return turn.done() and not turn.cancelled() and turn.exception() is None


def _too_late(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(passed_in_queue())


def passed_in_queue() -> RequestFailed:
    """The error for a deadline that passed in a wait whose end nobody could foresee."""
    return RequestFailed(
        Reason.DEADLINE_EXCEEDED,
        "the deadline passed in the queue; allow a longer one or send less",
    )
