"""The completion queue, asked by the event loop.

gRPC's poll strategy must be `poll`: with it a completion queue polls its own sockets, all of them,
in the thread that asks, and nobody else ever asks this one. So what happens on it happens here, but
for what gRPC's timers do (deadlines, keepalive). Three things are kept:

* every ask serves every socket, whether it is watched or not;
* after an ask comes another within LOOK_AGAIN_S, until one has been followed by a look for sockets
  that are not watched yet: an ask may have accepted one;
* a call's deadline is a time to ask, and while a call runs nobody waits longer than PATROL_S.

So whatever is missed by the watch waits LOOK_AGAIN_S, and nothing is ever lost; an idle daemon asks
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

from grpc._cython import cygrpc  # type: ignore[attr-defined]

from sidecar.server.driven.descriptors import Name
from sidecar.server.driven.watch import Watch

# How late may be noticed what a thread of gRPC's did, seconds.
LOOK_AGAIN_S: Final = 0.02
# The same where nobody expects anything: silent calls.
PATROL_S: Final = 0.5
# In traffic sockets are looked for only every so many times: unwatched ones are served anyway.
_LOOK_FOR_SOCKETS: Final = 50
# A thread of gRPC's tells of a deadline about a millisecond after it has passed, seconds.
_TOLD_S: Final = 0.002
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
        self._shutting = 0
        self._looks = 0
        self._traffic = False  # somebody has asked since the last look
        self._later: asyncio.TimerHandle | None = None
        self._patrolling = False  # `_later` is a patrol
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
        self._look_again_soon()

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
                    self._look_again_soon()
                    return
                event.tag(event)
        finally:
            self._asking = False

    def call_begins(self, left_s: float | None) -> asyncio.TimerHandle | None:
        """A call has so long to run; the answer is to be given to `call_ends`."""
        self._calls += 1
        return None if left_s is None else self._loop.call_later(left_s + _TOLD_S, self.ask)

    def call_ends(self, deadline: asyncio.TimerHandle | None) -> None:
        self._calls -= 1
        if deadline is not None:
            deadline.cancel()

    def shuts(self) -> None:
        """A server is shutting down: its end may come from anywhere."""
        self._shutting += 1
        self.ask()

    def is_shut(self) -> None:
        self._shutting -= 1

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
        self._look_again_soon()

    def _on_outward(self) -> None:
        self._watch.outward.poll(0)
        self.ask()

    def _on_flood(self) -> None:
        self._soon = None
        self.ask()

    def _look_again_soon(self) -> None:
        self._traffic = True
        if self._later is None or self._patrolling:
            self._look_again_in(LOOK_AGAIN_S)

    def _look_again_in(self, delay_s: float) -> None:
        if self._later is not None:
            self._later.cancel()
        self._patrolling = delay_s == PATROL_S
        self._later = self._loop.call_later(delay_s, self._look_again)

    def _look_again(self) -> None:
        self._later = None
        self._looks += 1
        traffic, self._traffic = self._traffic, False
        self._ask()
        found = not (traffic and self._looks % _LOOK_FOR_SOCKETS) and self._watch.look()
        if found or traffic or self._awaits_threads():
            self._look_again_in(LOOK_AGAIN_S)
        elif self._calls:
            self._look_again_in(PATROL_S)

    def _awaits_threads(self) -> bool:
        return bool(self._shutting or self._blocked_writes or self._watch.unread())

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
