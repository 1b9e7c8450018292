"""Carrying the steps out: the one coroutine that both shells run."""

from __future__ import annotations

import asyncio
from typing import Protocol

from sidecar.core.clock import Clock
from sidecar.testing.actions import Cut, Finish, Head, How, Send, Wait
from sidecar.testing.exchange import Exchange


class Wire(Protocol):
    """A connection on which one response goes out."""

    def head(self, head: Head) -> None: ...
    def send(self, data: bytes) -> None: ...
    async def wait_writable(self) -> None: ...
    def finish(self) -> None: ...
    def cut(self, how: How) -> None: ...


async def perform(exchange: Exchange, wire: Wire, clock: Clock) -> None:
    """Carry out the steps of `exchange`.

    To be cancelled when the client goes away, after a call of `Exchange.end` that says so. Waits
    are counted from when the step before was due, so that a stream does not drift.
    """
    due = clock.now()
    for action in exchange.actions:
        if isinstance(action, Wait):
            due += action.seconds
            if due > clock.now():
                await asyncio.sleep(due - clock.now())
            continue
        exchange.did(action, clock.now())
        if isinstance(action, Send) and action.data:
            wire.send(action.data)
            await _until_writable(exchange, wire, clock)
        elif isinstance(action, Head):
            wire.head(action)
        elif isinstance(action, Finish):
            assert exchange.has_head, "a body cannot end before its head"
            wire.finish()
            return
        elif isinstance(action, Cut):
            wire.cut(action.how)
            return
    raise RuntimeError("the steps of an attempt must come to an end")


async def _until_writable(exchange: Exchange, wire: Wire, clock: Clock) -> None:
    before = clock.now()
    await wire.wait_writable()
    if clock.now() > before:
        exchange.blocked(clock.now() - before)
