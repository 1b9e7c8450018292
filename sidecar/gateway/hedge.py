"""Hedging: a second attempt beside one that is late with its first token; who speaks first wins.

Each runs in a task of its own until one speaks. Then the other is cancelled, settled and paid, and
from there on the session has one writer, as ever. A stream that has spoken is never hedged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import msgspec

from sidecar.core.events import Event
from sidecar.failover import hedging
from sidecar.failover.session import Session
from sidecar.gateway import attempt
from sidecar.gateway.lease import Lease
from sidecar.gateway.parts import Parts
from sidecar.gateway.race import Entrant, Race
from sidecar.telemetry.trace import RequestTrace


def run(
    parts: Parts, session: Session, lease: Lease, trace: RequestTrace
) -> AsyncGenerator[Event, None]:
    """As `attempt.run`, hedged where the route wants it and the request has not spoken yet."""
    after_s = _late_after(parts, session, lease)
    if after_s is None:
        return attempt.run(parts, session, lease, trace)
    return _Contest(parts, session, lease, trace).events(after_s)


def _late_after(parts: Parts, session: Session, lease: Lease) -> float | None:
    hedge = session.route.hedge
    if hedge is None or session.attempts:
        return None
    parts.experience.hedges(session.route.name).asked(hedge.share)
    if session.request.completion.max_cost_nano_usd is not None:
        return None  # two at once could pass the caller's bound together
    firsts = parts.experience.of(lease.line.target.name).firsts
    return hedging.late_after(hedge, firsts)


class _Ended(msgspec.Struct, frozen=True):
    """An entrant is done: settled, with or without an error for the caller."""

    number: int
    error: Exception | None = None


class _Contest:
    """Up to two attempts, and one stream out of them."""

    def __init__(self, parts: Parts, session: Session, lease: Lease, trace: RequestTrace) -> None:
        self._parts = parts
        self._session = session
        self._lease = lease
        self._trace = trace
        self._race = Race()
        # One event at most is on its way: who does not read holds the provider back as ever.
        self._out: asyncio.Queue[Event | _Ended] = asyncio.Queue(1)
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def events(self, after_s: float) -> AsyncGenerator[Event, None]:
        """The winner's events. Raises what `attempt.run` raises."""
        self._enter(self._lease, hedge=False)
        first = asyncio.ensure_future(self._out.get())
        try:
            await asyncio.wait({first}, timeout=after_s)
            if not first.done() and self._race.winner is None:
                await self._second()
            item = await first
            while not self._is_over(item):
                if not isinstance(item, _Ended):
                    yield item
                item = await self._out.get()
        finally:
            first.cancel()
            await self._close()

    def _is_over(self, item: Event | _Ended) -> bool:
        """Is this the end of the contest? Raises the error that it ends with."""
        if not isinstance(item, _Ended):
            return False
        del self._tasks[item.number]
        if item.error is not None:
            raise item.error
        # A refusal is about the request: the other would only be paid for in vain.
        won = self._race.winner == item.number
        return won or not self._tasks or self._session.refused is not None

    def _enter(self, lease: Lease, *, hedge: bool) -> None:
        number = len(self._tasks)
        entrant = Entrant(self._race, number, hedge, self._won)
        made = attempt.run(self._parts, self._session, lease, self._trace, entrant)
        name = "hedge" if hedge else "attempt"
        self._tasks[number] = asyncio.create_task(self._run(number, made), name=name)

    async def _second(self) -> None:
        """A lease elsewhere, at once and within the share; or things stay as they are."""
        session, share = self._session, self._parts.experience.hedges(self._session.route.name)
        if not self._parts.leases.elsewhere(session, self._lease) or not share.take():
            return
        lease = await self._parts.leases.beside(session, self._lease)
        if lease is None:
            return
        if self._race.winner is None and 0 in self._tasks and not self._tasks[0].done():
            self._enter(lease, hedge=True)
        else:
            self._parts.leases.unused(lease)

    async def _run(self, number: int, made: AsyncGenerator[Event, None]) -> None:
        error: Exception | None = None
        try:
            async with aclosing(made) as events:
                async for event in events:
                    await self._out.put(event)
        except Exception as failed:
            error = failed
        await self._out.put(_Ended(number, error))

    def _won(self, number: int) -> None:
        """Entrant `number` speaks: the others are cancelled."""
        for other, task in self._tasks.items():
            if other != number:
                task.cancel()

    async def _close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        for task in self._tasks.values():
            with suppress(asyncio.CancelledError):
                await task
