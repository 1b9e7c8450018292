"""The fair queue: who goes next. Pure: no waiting, no clock; one per pool.

Priorities are strict bands, except that a band with a guarantee gets at least that share of the
work while it waits. Inside a band, start-time fair queueing over callers with weights: an entry's
tag is max(virtual time, the caller's last finish), the least tag goes first, so a caller who was
idle gets no credit for it. Inside a caller, first in, first out.

Work is measured in seconds of refill of the bottleneck bucket (`work_of`), so that pools bound by
requests and pools bound by tokens are both fair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

import msgspec

from sidecar.core.request import Priority
from sidecar.limits.blocks import Blocks
from sidecar.limits.bucket import Bucket, Cost, Dimension

T = TypeVar("T")

GUARANTEES: Mapping[Priority, float] = {Priority.BATCH: 0.1}
"""The share of the work that a band gets under endless load above it (limits 3.3: 5-10 %)."""
MOST_CALLERS = 4096
"""Callers remembered while nothing of theirs waits, before the debtless are forgotten."""
LEAST_WORK = 1e-9


class Position(msgspec.Struct, frozen=True):
    """What stands before an entry: how many, and their work in seconds."""

    count: int
    work_s: float


class Ticket(Generic[T]):
    """One waiting entry. `item` is the owner's; everything else is the queue's."""

    __slots__ = ("caller", "item", "number", "priority", "start", "waiting", "weight", "work_s")

    def __init__(self, item: T, caller: str, priority: Priority, work_s: float, weight: float):
        self.item = item
        self.caller = caller
        self.priority = priority
        self.work_s = max(work_s, LEAST_WORK)
        self.weight = weight
        self.start = 0.0
        self.number = 0
        self.waiting = False


class _Flow:
    """One caller in one band: `finish` is the tag its next entry may not start before."""

    __slots__ = ("finish", "last_start", "waiting")

    def __init__(self, virtual: float) -> None:
        self.finish = virtual
        self.last_start = virtual
        self.waiting = 0

    def pay(self, work: float, virtual: float) -> None:
        """Never before the virtual time, nor before an entry of the caller that still waits."""
        floor = max(virtual, self.last_start) if self.waiting else virtual
        self.finish = max(self.finish + work, floor)


class _Band(Generic[T]):
    """One priority: start-time fair queueing over callers."""

    __slots__ = ("credit", "entries", "flows", "forget_at", "guarantee", "virtual")

    def __init__(self, guarantee: float) -> None:
        self.guarantee = guarantee
        self.credit = 0.0
        self.virtual = 0.0
        self.entries: Blocks[Ticket[T]] = Blocks()
        self.flows: dict[str, _Flow] = {}
        self.forget_at = MOST_CALLERS

    def flow(self, caller: str) -> _Flow:
        flow = self.flows.get(caller)
        if flow is None:
            self._forget()
            flow = self.flows[caller] = _Flow(self.virtual)
        return flow

    def add(self, ticket: Ticket[T]) -> None:
        flow = self.flow(ticket.caller)
        ticket.start = flow.last_start = max(self.virtual, flow.finish)
        flow.finish = ticket.start + ticket.work_s / ticket.weight
        flow.waiting += 1
        self.entries.add((ticket.start, ticket.number), ticket.work_s, ticket)

    def drop(self, ticket: Ticket[T]) -> None:
        self.entries.remove((ticket.start, ticket.number))
        self.flows[ticket.caller].waiting -= 1
        if not self.entries:
            # The end of a busy period: with nobody else waiting, nobody is owed anything.
            self.credit = 0.0
            self.flows = {}

    def _forget(self) -> None:
        """A caller without debt starts like a stranger anyway."""
        if len(self.flows) < self.forget_at:
            return
        owing = self.flows.items()
        self.flows = {at: flow for at, flow in owing if flow.waiting or flow.finish > self.virtual}
        self.forget_at = max(MOST_CALLERS, 2 * len(self.flows))


class FairQueue(Generic[T]):
    """Bounded by count and by work; an entry only counts what goes before it or beside it, so
    that a full lower band never refuses a higher one."""

    def __init__(
        self,
        max_count: int = 10_000,
        max_work_s: float = 3600.0,
        guarantees: Mapping[Priority, float] = GUARANTEES,
    ) -> None:
        self._max_count = max_count
        self._max_work_s = max_work_s
        self._bands: dict[Priority, _Band[T]] = {
            priority: _Band(guarantees.get(priority, 0.0)) for priority in Priority
        }
        self._numbers = 0

    def __len__(self) -> int:
        return sum(len(band.entries) for band in self._bands.values())

    def __iter__(self) -> Iterator[Ticket[T]]:
        """All waiting entries, band by band, in order."""
        for band in self._bands.values():
            yield from band.entries

    @property
    def work_s(self) -> float:
        """The work of everything that waits."""
        return sum(band.entries.work for band in self._bands.values())

    def push(
        self, item: T, caller: str, priority: Priority, work_s: float, weight: float = 1.0
    ) -> Ticket[T] | None:
        """Wait in line; None if the queue is full. `weight` > 0: a caller's share among callers."""
        ticket = Ticket(item, caller, priority, work_s, weight)
        ahead = self._beside(priority)
        if ahead.count >= self._max_count or ahead.work_s + ticket.work_s > self._max_work_s:
            return None
        self._numbers += 1
        ticket.number = self._numbers
        ticket.waiting = True
        self._bands[priority].add(ticket)
        return ticket

    def peek(self) -> Ticket[T] | None:
        """Who goes next."""
        for band in reversed(self._bands.values()):
            head = band.entries.first()
            if head is not None and band.guarantee and band.credit >= head.work_s:
                return head
        heads = (band.entries.first() for band in self._bands.values())
        return next((head for head in heads if head is not None), None)

    def pop(self, ticket: Ticket[T] | None = None) -> Ticket[T] | None:
        """Serve `ticket`, or whoever is next; None if nobody waits (any more)."""
        served = self.peek() if ticket is None else ticket
        if served is None or not served.waiting:
            return None
        self._account(served)
        band = self._bands[served.priority]
        band.virtual = max(band.virtual, served.start)
        served.waiting = False
        band.drop(served)
        return served

    def remove(self, ticket: Ticket[T]) -> bool:
        """Leave without being served; the caller is not charged. False if it no longer waits."""
        if not ticket.waiting:
            return False
        ticket.waiting = False
        band = self._bands[ticket.priority]
        band.drop(ticket)
        band.flow(ticket.caller).pay(-ticket.work_s / ticket.weight, band.virtual)
        return True

    def charge(self, ticket: Ticket[T], work_s: float) -> None:
        """`ticket`, already served, really took `work_s` more (or, negative, less)."""
        band = self._bands[ticket.priority]
        band.flow(ticket.caller).pay(work_s / ticket.weight, band.virtual)

    def position(self, ticket: Ticket[T]) -> Position:
        """What stands before a waiting `ticket`, if nobody else comes."""
        above = self._above(ticket.priority)
        key = (ticket.start, ticket.number)
        count, work = self._bands[ticket.priority].entries.before(key)
        return Position(above.count + count, above.work_s + work)

    def _account(self, served: Ticket[T]) -> None:
        """Guaranteed bands that wait earn their share of the work; one served early pays it."""
        above = self._above(served.priority).count
        for priority, band in self._bands.items():
            if band.guarantee and band.entries:
                band.credit += band.guarantee * served.work_s
                if priority is served.priority:
                    band.credit = max(band.credit - served.work_s, 0.0) if above else 0.0

    def _above(self, priority: Priority) -> Position:
        bands = [band.entries for at, band in self._bands.items() if at < priority]
        return Position(sum(map(len, bands)), sum(entries.work for entries in bands))

    def _beside(self, priority: Priority) -> Position:
        bands = [band.entries for at, band in self._bands.items() if at <= priority]
        return Position(sum(map(len, bands)), sum(entries.work for entries in bands))


def work_of(buckets: Iterable[Bucket], cost: Cost) -> float:
    """Seconds of refill that `cost` takes from the bottleneck of `buckets`; 0 with rates none."""
    rates = (bucket for bucket in buckets if bucket.dimension is not Dimension.CONCURRENCY)
    shares = (cost.of(bucket.dimension) * bucket.per_s / bucket.limit for bucket in rates)
    return max(shares, default=0.0)


def wait_of(position: Position, first_wait_s: float, pods: int = 1) -> float:
    """When an entry will go, in seconds from now: the head's wait, then the work before it, which
    every pod of the fleet is assumed to have as much of."""
    return first_wait_s + pods * position.work_s


def seat_wait_of(position: Position, seats: int, mean_hold_s: float) -> float:
    """The same where concurrency is the bottleneck: seats come free at seats / holding time."""
    return (position.count + 1) * mean_hold_s / max(seats, 1)
