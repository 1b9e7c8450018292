"""The owner's side of a shared stream: what it has said is written down for the other pods.

A stream may run ahead of what is written by so many events and no more. So whoever takes it over
knows how many of them a caller can have seen that were never written: those are taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from sidecar.core.events import Answer, AttemptBegan, Event
from sidecar.gateway.pulse import Pulse
from sidecar.gateway.shelf import LEASE_S, Shelf

# What a killed pod loses of a stream is at most this long, seconds ...
WRITE_EVERY_S = 0.5
# ... and at most so many events; half of them make the scribe write at once.
MOST_UNWRITTEN = 64
# The lease is renewed so often, seconds: two renewals may fail before it runs out.
RENEW_EVERY_S = LEASE_S / 3
# A chunk holds at most so many events: a long text is written in steps.
CHUNK = 512


class Written(Protocol):
    """The journal that a scribe writes down."""

    events: list[Event]

    def visited(self) -> None:
        """Somebody reads it, if elsewhere."""

    @property
    def alone(self) -> bool:
        """Nobody reads it here."""


class Scribe:
    """Writes one journal down, and holds its lease."""

    def __init__(self, shelf: Shelf, name: str, digest: bytes, now: Callable[[], float]) -> None:
        self._shelf = shelf
        self._name = name
        self._digest = digest
        self._now = now
        self._due = Pulse()
        self._done = Pulse()
        self.written = 0
        self.chunks = 0
        self.lost = False
        self._late = False

    async def wait_room(self, journal: Written) -> None:
        """Return when the journal may say more: it waits for a cache that works, for no other."""
        ahead = len(journal.events) - self.written
        if 2 * ahead >= MOST_UNWRITTEN:
            self._due.fire()
        while ahead >= MOST_UNWRITTEN and not self.lost and not self._late:
            await self._done.wait(WRITE_EVERY_S)
            ahead = len(journal.events) - self.written

    async def run(self, journal: Written) -> None:
        """Write and renew until cancelled, or until the stream is somebody else's."""
        # In this order: what was taken over must not be lost with a second pod.
        await self.write(journal)
        await self._shelf.begin(self._name, self._digest)
        renew_at = self._now() + RENEW_EVERY_S
        while not self.lost:
            await self.write(journal)
            await self._due.wait(WRITE_EVERY_S)
            if self._now() >= renew_at:
                renew_at = self._now() + RENEW_EVERY_S
                await self._renew(journal)

    async def write(self, journal: Written) -> None:
        """Write down what is new, as far as the cache takes it."""
        while self.written < len(journal.events) and not self.lost:
            events = journal.events[self.written : self.written + CHUNK]
            if not await self._shelf.write(self._name, self.chunks, events):
                self._late = True
                break
            self._late = False
            self.chunks += 1
            self.written += len(events)
        self._done.fire()

    async def _renew(self, journal: Written) -> None:
        self.lost = await self._shelf.renew(self._name) is False
        if journal.alone and await self._shelf.read_elsewhere(self._name):
            journal.visited()

    async def over(self, whole: bytes | None) -> None:
        """The stream has ended: keep the `whole`, or nothing if it may be tried again."""
        if self.lost or await self._shelf.renew(self._name) is False:
            return
        if whole is not None:
            await self._shelf.keep(self._name, whole)
        await self._shelf.clear(self._name, self.chunks)
        await self._shelf.release(self._name)

    async def hand_over(self, journal: Written) -> None:
        """This pod ends and the stream has not: another one may go on at once."""
        await self.write(journal)
        await self._shelf.release(self._name)


def taken_over(kept: list[Event]) -> list[Event]:
    """The journal of a pod that goes on with `kept`: so many empty deltas follow that every caller
    of the lost pod, wherever it stood, reads the next attempt's event after what it has."""
    return [*kept, *(Answer("") for _ in range(MOST_UNWRITTEN))]


def at_the_seam(event: AttemptBegan, kept: int) -> AttemptBegan:
    """The first attempt after `kept` events: what the lost pod said after them is taken back."""
    after = min(event.discard_after_sequence, kept)
    return msgspec.structs.replace(event, discard_after_sequence=after)
