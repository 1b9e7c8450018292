"""The board that all pods read and write: who rests until when and why, and who probes.

What is written on it is decided elsewhere (the key ring, the breakers); here it travels. A note
that somebody pins reaches the others by a broadcast within milliseconds; a broadcast that was lost
is made good by reading the whole board now and then. Without the board every pod keeps what it
knows. Knows no library: a `Wire` carries documents to `board.lua` and brings broadcasts back.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Protocol

import msgspec

from sidecar.core.clock import Clock
from sidecar.core.tasks import ended
from sidecar.limits.pool import StoreAway

Name = tuple[str, ...]

READ_S = 5.0
"""How often the whole board is read: so long a lost broadcast may go unnoticed."""
CLAIM_S = 0.05
"""Who wants to probe waits so long for the board, and then decides alone (limits 2.6: 50 ms)."""
AGAIN_S = (0.2, 0.5)
"""The pause after a failure, spread: back within a second of the store's return."""
UNSEEN_PODS = 16
"""So many pods are taken to share everything while the board was never read."""


class Note(msgspec.Struct, frozen=True):
    """Why something rests: as in the key ring. `firm` ends by a good probe alone. Loop seconds."""

    cause: str
    firm: bool
    strikes: int
    since: float
    until: float
    probing_until: float = 0.0


class Names(Protocol):
    """What things are called on the board: ids hold no key material."""

    def id_of(self, name: Name) -> str:
        """KeyError for what is gone since."""

    def name_of(self, note_id: str) -> Name | None:
        """None: this pod has nothing of that id."""


class Ear(Protocol):
    """Who acts on what the board says."""

    def heard(self, name: Name, note: Note, now: float) -> None:
        """`name` rests, as somebody found out."""

    def cleared(self, name: Name, now: float) -> None:
        """Somebody found `name` well again."""

    def lost(self, now: float) -> None:
        """The board forgot what it knew: tell everything again."""


class Wire(Protocol):
    """How the board is reached. Both raise StoreAway."""

    async def call(self, document: bytes) -> list[Any]: ...

    async def listen(self, ready: Callable[[], None], heard: Callable[[bytes], None]) -> None:
        """Hand on every broadcast until the line breaks; `ready`: none is missed from now on."""

    async def aclose(self) -> None: ...


class _Document(msgspec.Struct):
    pod: str
    salt: str
    known: str
    read: int
    ops: list[tuple[Any, ...]]


def text() -> str:
    """The script."""
    return (files("sidecar.limits") / "lua" / "board.lua").read_text("utf-8")


class Board:
    """This pod's view of the board. `rename` makes the names once the fleet's salt is known."""

    def __init__(
        self, clock: Clock, wire: Wire, pod: str, rng: random.Random, *, read_s: float = READ_S
    ) -> None:
        self.pods = UNSEEN_PODS
        self.away = False
        self._clock = clock
        self._wire = wire
        self._pod = f"{pod}.{rng.getrandbits(32):08x}"
        self._random = rng
        self._read_s = read_s
        self._salt = ""
        self._version = 0
        self._rename: Callable[[str], Names] | None = None
        self._names: Names | None = None
        self._ear: Ear | None = None
        # The last word on each name that the board has not heard yet: what it is, made when sent.
        self._owed: dict[Name, Callable[[float], tuple[Any, ...]]] = {}
        self._sent: set[Name] = set()
        self._pinned: set[Name] = set()
        self._claims: list[tuple[Name, float, asyncio.Future[float | None]]] = []
        self._read_at = 0.0
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, rename: Callable[[str], Names], ear: Ear) -> None:
        """Begin to listen and to tell, in the running loop."""
        self._rename, self._ear = rename, ear
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._talk(), name="board"),
            loop.create_task(self._hear(), name="board's news"),
        ]

    def renamed(self) -> None:
        """The pod's keys are others now."""
        if self._rename is not None and self._salt:
            self._names = self._rename(self._salt)
            self._read_soon()

    # -- telling -----------------------------------------------------------------------------

    def rest(self, name: Name, note: Note, *, anew: bool = False) -> None:
        """Pin a note. `anew`: it is not of now, the board has forgotten it."""

        def op(now: float) -> tuple[Any, ...]:
            left_ms = max(note.until - now, 0.0) * 1e3
            return ("rest", name, note.cause, note.firm, note.strikes, left_ms, anew)

        self._owe(name, op)

    def clear(self, name: Name, began: float) -> None:
        """An attempt that began then (loop seconds) did well."""
        self._owe(name, lambda now: ("clear", name, (now - began) * 1e3))

    def release(self, name: Name) -> None:
        """The probe proved nothing."""
        if name not in self._owed:
            self._owe(name, lambda now: ("yield", name))

    async def claim(self, name: Name, lease_s: float) -> float | None:
        """May this pod probe `name`? 0.0, or for how many seconds not; None: nobody could say."""
        if self.away or self._names is None or not _known(name, self._names):
            return None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[float | None] = loop.create_future()
        self._claims.append((name, lease_s, future))
        self._wake.set()
        timer = loop.call_later(CLAIM_S, _settle, future, None)
        try:
            return await future
        except asyncio.CancelledError:
            self.release(name)
            raise
        finally:
            timer.cancel()

    def _owe(self, name: Name, op: Callable[[float], tuple[Any, ...]]) -> None:
        self._owed[name] = op
        self._wake.set()

    # -- the line to the board ---------------------------------------------------------------

    async def _talk(self) -> None:
        while True:
            if not self.away:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(self._read_at - self._clock.now(), 0.0)):
                        await self._wake.wait()
            self._wake.clear()
            try:
                await self._exchange()
            except StoreAway:
                self._failed()
                await asyncio.sleep(self._random.uniform(*AGAIN_S))

    async def _exchange(self) -> None:
        now, names = self._clock.now(), self._names
        reads = now >= self._read_at
        owed, claims = (self._owed, self._claims) if names is not None else ({}, [])
        ops: list[tuple[Any, ...]] = []
        if names is not None:
            ops = _ids([op(now) for op in owed.values()], names)
            ops += [("claim", names.id_of(name), lease_s * 1e3) for name, lease_s, _ in claims]
            self._owed, self._claims, self._sent = {}, [], set(owed)
        read_ms = round(self._read_s * 1e3) if reads else 0
        # A fresh one each time: a board that was lost shows by its new salt.
        salt = f"{self._random.getrandbits(256):064x}"
        document = _Document(self._pod, salt, self._salt, read_ms, ops)
        try:
            answer = await self._wire.call(msgspec.msgpack.encode(document))
            self._learn(answer, owed, claims)
        except BaseException as error:
            self._owed = {**owed, **self._owed}
            for _, _, future in claims:
                _settle(future, None)
            if isinstance(error, (ValueError, TypeError)):
                raise StoreAway("the board's answer cannot be read") from error
            raise
        finally:
            self._sent = set()

    def _learn(
        self,
        answer: list[Any],
        owed: dict[Name, Callable[[float], tuple[Any, ...]]],
        claims: list[tuple[Name, float, asyncio.Future[float | None]]],
    ) -> None:
        at_ms, salt, version, pods, granted, whole = answer
        now, salt = self._clock.now(), salt.decode()
        stranger, forgot = salt != self._salt, version < self._version
        self._version, self.away = version, False
        if stranger:
            self._salted(salt, owed, now)
        for place, (_, _, future) in enumerate(claims):
            _settle(future, granted[place] / 1e3 if place < len(granted) else None)
        if forgot and not stranger:
            self._tell_again(now)
        if whole is not None:
            self.pods = pods
            if not stranger and not forgot:
                self._read_at = now + self._read_s
                self._take_over(msgspec.msgpack.decode(whole), float(at_ms), now)

    def _salted(
        self, salt: str, owed: dict[Name, Callable[[float], tuple[Any, ...]]], now: float
    ) -> None:
        """A salt that is new to this pod: nothing that was sent under the old one was taken."""
        assert self._rename is not None
        known, self._salt = self._salt, salt
        self._names = self._rename(salt)
        self._owed = {**owed, **self._owed}
        self._pinned.clear()
        if known:
            self._tell_again(now)
        self._read_soon()

    def _tell_again(self, now: float) -> None:
        self._pinned.clear()
        if self._ear is not None:
            self._ear.lost(now)
        self._read_soon()

    def _take_over(self, whole: list[Any], at_ms: float, now: float) -> None:
        """Everything on the board; what is not there any more was cleared unheard."""
        before, self._pinned = self._pinned, set()
        for note_id, words in whole:
            self._note(note_id, words, at_ms, now)
        for name in before - self._pinned:
            self._unpin(name, now)

    def _failed(self) -> None:
        self.away = True
        for _, _, future in self._claims:
            _settle(future, None)
        self._claims = []
        self._read_at = 0.0

    def _read_soon(self) -> None:
        self._read_at = 0.0
        self._wake.set()

    # -- news --------------------------------------------------------------------------------

    async def _hear(self) -> None:
        while True:
            with contextlib.suppress(StoreAway):
                await self._wire.listen(self._read_soon, self._broadcast)
            await asyncio.sleep(self._random.uniform(*AGAIN_S))

    def _broadcast(self, message: bytes) -> None:
        try:
            at_ms, salt, pod, note_id, words = msgspec.msgpack.decode(message)
        except (ValueError, TypeError):
            return
        if salt != self._salt:
            self._read_soon()
        elif pod != self._pod:
            self._note(note_id, words, at_ms, self._clock.now())

    def _note(self, note_id: str, words: Any, at_ms: float, now: float) -> None:
        """Act on a note, unless this pod has a newer word on it that is still on its way."""
        name = self._names.name_of(note_id) if self._names is not None else None
        if name is None or self._ear is None:
            return
        if not words:
            self._unpin(name, now)
            return
        self._pinned.add(name)
        if name not in self._owed and name not in self._sent:
            self._ear.heard(name, _note_of(words, at_ms, now), now)

    def _unpin(self, name: Name, now: float) -> None:
        self._pinned.discard(name)
        if name not in self._owed and name not in self._sent and self._ear is not None:
            self._ear.cleared(name, now)

    async def aclose(self) -> None:
        await ended(self._tasks)
        await self._wire.aclose()


def _ids(ops: list[tuple[Any, ...]], names: Names) -> list[tuple[Any, ...]]:
    """`ops` with ids for names; what has none any more is nobody's business."""
    return [(kind, names.id_of(n), *rest) for kind, n, *rest in ops if _known(n, names)]


def _known(name: Name, names: Names) -> bool:
    try:
        names.id_of(name)
    except KeyError:
        return False
    return True


def _note_of(words: list[Any], at_ms: float, now: float) -> Note:
    """A note of the board's clock on this loop's: what travelled a while ends a little later."""
    cause, firm, strikes, since, until, probing, _ = words

    def local(then_ms: float) -> float:
        return now + (then_ms - at_ms) / 1e3

    return Note(cause, firm, strikes, local(since), local(until), local(probing))


def _settle(future: asyncio.Future[float | None], value: float | None) -> None:
    if not future.done():
        future.set_result(value)
