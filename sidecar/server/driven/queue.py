"""The completion queue, asked by the event loop.

gRPC's poll strategy must be `poll`: with it a completion queue polls its own sockets, all of them,
in the thread that asks, and nobody else ever asks this one. So what happens on it happens here, but
for what gRPC's timers do (deadlines, keepalive). Three things are kept:

* every ask serves every socket, whether it is watched or not;
* while a call runs, or while a connection may be there that is not watched yet, the queue is asked
  at least every LOOK_AGAIN_S;
* that is so until gRPC's sockets were looked for after the last ask: an ask may have accepted.

So whatever is missed by the watch waits LOOK_AGAIN_S at most, and nothing is ever lost; an idle
daemon asks nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

from grpc._cython import cygrpc  # type: ignore[attr-defined]

from sidecar.server.driven.descriptors import Name
from sidecar.server.driven.watch import Watch

# How late a passed deadline may be noticed, seconds.
LOOK_AGAIN_S: Final = 0.02
# While calls run sockets are looked for only every so many times: unwatched ones are served anyway.
_LOOK_FOR_SOCKETS: Final = 10
# A socket that stays readable is served so often before the rest of the daemon has its turn.
_ROUNDS: Final = 8
# So many completions at most before the rest of the daemon has its turn: a flood is endless.
_COMPLETIONS: Final = 256

_NOTHING: Final = cygrpc.CompletionType.queue_timeout
_AT_ONCE: Final = 0.0  # a deadline in the past


class Batch(Protocol):
    """Operations under way."""

    ended: bool


class LoopQueue:
    """Serves any number of servers of one process. Tags are called with their event, in the loop's
    thread, while the queue is asked; they must not raise."""

    def __init__(self) -> None:
        self.core = cygrpc.CompletionQueue()
        self._loop = asyncio.get_running_loop()
        self._watch = Watch()
        self._asking = False
        self._blocked_writes = 0
        self._calls = 0
        self._times = 0
        self._later: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None
        self._loop.add_reader(self._watch.inward.fileno(), self._on_inward)

    # -- for servers -------------------------------------------------------------------------

    def expect(self, name: Name) -> None:
        """A server has bound this name."""
        self._watch.expect(name)

    def begin(self) -> None:
        """A server has started. Raises Impossible; then nobody was answered yet."""
        self._watch.begin()
        self.ask()

    def close(self) -> None:
        """After all servers have stopped."""
        for handle in (self._later, self._soon):
            if handle is not None:
                handle.cancel()
        self._loop.remove_reader(self._watch.inward.fileno())
        self._loop.remove_reader(self._watch.outward.fileno())
        self._watch.close()
        self.core.shutdown()

    # -- for calls ---------------------------------------------------------------------------

    def ask(self) -> None:
        """Serve the sockets, and call the tag of all that is complete."""
        self._ask()
        self._look_again_later()

    def ask_for(self, batch: Batch) -> None:
        """As `ask`, until `batch` has ended: nearly always it has, and no socket is asked."""
        if self._asking:
            return
        self._asking = True
        poll = self.core.poll
        try:
            while not batch.ended:
                event = poll(_AT_ONCE)
                if event.completion_type == _NOTHING:
                    self._look_again_later()
                    return
                event.tag(event)
        finally:
            self._asking = False

    def call_begins(self) -> None:
        self._calls += 1
        self._look_again_later()

    def call_ends(self) -> None:
        self._calls -= 1

    def write_blocks(self) -> None:
        """A write has not gone out at once: room in a socket wakes the loop from now on."""
        self._blocked_writes += 1
        if self._blocked_writes == 1:
            self._loop.add_reader(self._watch.outward.fileno(), self._on_outward)

    def write_passes(self) -> None:
        """It has gone out, or was given up."""
        self._blocked_writes -= 1
        if not self._blocked_writes:
            self._loop.remove_reader(self._watch.outward.fileno())

    @property
    def ticking(self) -> bool:
        """Whether it will ask by itself, with nothing coming in."""
        return self._later is not None or self._soon is not None

    # -- for the trial -----------------------------------------------------------------------

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is asked for the length of the block."""
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def accepted(self) -> int:
        """How many connections have been found."""
        self._watch.look()
        return self._watch.connections

    # -- what wakes it -----------------------------------------------------------------------

    def _on_inward(self) -> None:
        callers = self._watch.callers()
        self._ask()
        if callers:
            self._watch.look()
        for _ in range(_ROUNDS):
            if not self._watch.unread():
                break
            self._ask()
        self._look_again_later()

    def _on_outward(self) -> None:
        self._watch.outward.poll(0)
        self.ask()

    def _on_flood(self) -> None:
        self._soon = None
        self.ask()

    def _look_again_later(self) -> None:
        if self._later is None:
            self._later = self._loop.call_later(LOOK_AGAIN_S, self._look_again)

    def _look_again(self) -> None:
        self._later = None
        self._times += 1
        self._ask()
        if self._calls and self._times % _LOOK_FOR_SOCKETS:
            more = True
        else:
            more = self._watch.look() or self._calls > 0 or self._watch.unread()
        if more:
            self._look_again_later()

    def _ask(self) -> None:
        if self._asking:
            return
        self._asking = True
        try:
            self._work_off()
        finally:
            self._asking = False

    def _work_off(self) -> None:
        poll = self.core.poll
        for _ in range(_COMPLETIONS):
            event: Any = poll(_AT_ONCE)
            if event.completion_type == _NOTHING:
                return
            event.tag(event)
        if self._soon is None:
            self._soon = self._loop.call_soon(self._on_flood)
