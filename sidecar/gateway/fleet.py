"""What this pod tells the others of keys and targets, and what it makes of what they tell.

The ring and the breakers decide by what they know, as they would alone; the board only makes them
know more. Without a board (the memory store, or while Redis is away) nothing of this happens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from sidecar.core.clock import Clock
from sidecar.core.failure import Cause
from sidecar.gateway.line import Line
from sidecar.gateway.pulse import Pulse
from sidecar.keys.ring import PROBE_LEASE_S, Key, KeyRing, Rest, Scope
from sidecar.keys.shared import BREAKER, Names
from sidecar.limits import learn
from sidecar.limits.board import Board, Note
from sidecar.routing.breaker import Breaker, State

log = logging.getLogger("headway")

CAUSES = {cause.value: cause for cause in Cause}


class Fleet:
    """One for each daemon. `lines` are the targets whose breakers may be spoken of."""

    def __init__(
        self,
        clock: Clock,
        ring: KeyRing,
        changed: Pulse,
        board: Board | None,
        lines: Callable[[], Iterable[Line]],
    ) -> None:
        self._clock = clock
        self._ring = ring
        self._changed = changed
        self._board = board
        self._lines = lines
        # Targets that are known to be broken, by whomever: since when, and until when.
        self._open: dict[str, tuple[float, float]] = {}
        if board is not None:
            ring.news = self

    def start(self) -> None:
        if self._board is not None:
            self._board.start(self._names, self)

    def applied(self) -> None:
        """The configuration, and with it the keys, are new."""
        if self._board is not None:
            self._board.renamed()

    async def aclose(self) -> None:
        if self._board is not None:
            await self._board.aclose()

    @property
    def pods(self) -> int:
        """How many share everything."""
        return self._board.pods if self._board is not None else 1

    # -- what this pod finds out -------------------------------------------------------------

    async def may_leave(self, line: Line, key: Key) -> bool:
        """May an attempt go out now? Asks the others only if it would be the probe of something
        disabled or of a broken target: one probe at a time in the whole fleet."""
        if self._board is None:
            return True
        names = list(self._ring.probes(key, line.target.model))
        if line.breaker.state is not State.CLOSED:
            names.append((BREAKER, line.target.name))
        for at, name in enumerate(names):
            wait_s = await self._board.claim(name, PROBE_LEASE_S)
            if wait_s:
                self._hold_back(name, line.breaker, self._clock.now() + wait_s)
                for mine in names[:at]:
                    self._board.release(mine)
                return False
        return True

    def _hold_back(self, name: Scope, breaker: Breaker, until: float) -> None:
        now = self._clock.now()
        if name[0] == BREAKER:
            breaker.heard(until, now)
            return
        rest = self._ring.own().get(name)
        if rest is not None:
            rest.probing_until = until

    def breaker(self, line: Line, now: float) -> None:
        """After a result: has the breaker of `line` opened or closed since it was last told?"""
        if self._board is None:
            return
        name, open_ = line.target.name, line.breaker.state is State.OPEN
        until = line.breaker.ready_at(now)
        if not open_ or until <= now:
            self.undecided(line)
        elif self._open.get(name, (now, now))[1] != until:
            self._open[name] = (now, until)
            self._board.rest((BREAKER, name), Note(BREAKER, True, 1, now, until))

    def answered(self, line: Line, began: float) -> None:
        """An attempt that began then got a good answer."""
        name = line.target.name
        if self._board is None or name not in self._open:
            return
        if began > self._open[name][0]:
            del self._open[name]
            self._board.clear((BREAKER, name), began)

    def undecided(self, line: Line) -> None:
        """An attempt proved nothing about its target: if it was the probe, another may follow."""
        if self._board is not None and line.target.name in self._open:
            self._board.release((BREAKER, line.target.name))

    def told(self, key: Key, headers: Mapping[str, str]) -> None:
        """What an answer's headers say of the key's owner; told once in the log if it matters."""
        group = self._ring.owned(key, learn.owner(headers))
        if group is not None:
            log.warning(
                "%s: the keys %s have one owner, so they share one quota and rest together",
                key.provider, ", ".join(group.aliases),
            )  # fmt: skip
            self._changed.fire()

    def rested(self, scope: Scope, rest: Rest) -> None:
        if self._board is not None:
            self._board.rest(scope, _note(rest))

    def recovered(self, scope: Scope, began: float) -> None:
        if self._board is not None:
            self._board.clear(scope, began)

    def released(self, scope: Scope) -> None:
        if self._board is not None:
            self._board.release(scope)

    # -- what the others found out -----------------------------------------------------------

    def heard(self, name: Scope, note: Note, now: float) -> None:
        if name[0] == BREAKER:
            self._open[name[1]] = (note.since, note.until)
            for line in self._named(name[1]):
                line.breaker.heard(max(note.until, note.probing_until), now)
        elif (cause := CAUSES.get(note.cause)) is not None:
            rest = Rest(note.since, note.until, cause, note.firm, note.strikes, note.probing_until)
            self._ring.heard(name, rest)
        self._changed.fire()

    def cleared(self, name: Scope, now: float) -> None:
        if name[0] == BREAKER:
            self._open.pop(name[1], None)
            for line in self._named(name[1]):
                line.breaker.heard_closed(now)
        else:
            self._ring.heard_well(name)
        self._changed.fire()

    def lost(self, now: float) -> None:
        assert self._board is not None
        log.warning("the fleet's board was lost; this pod tells again what it knows")
        for scope, rest in self._ring.own().items():
            self._board.rest(scope, _note(rest), anew=True)
        for line in self._lines():
            until = line.breaker.ready_at(now)
            if until > now:
                name = (BREAKER, line.target.name)
                self._board.rest(name, Note(BREAKER, True, 1, now, until), anew=True)

    def _named(self, target: str) -> list[Line]:
        return [line for line in self._lines() if line.target.name == target]

    def _names(self, salt: str) -> Names:
        ring = self._ring
        return Names(salt, [key for name in ring.providers() for key in ring.keys(name)])


def _note(rest: Rest) -> Note:
    return Note(rest.cause.value, rest.disabled, rest.strikes, rest.since, rest.until)
