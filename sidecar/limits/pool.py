"""One provider's pool in the common store: its one writer, its healing, its time alone.

All buckets of a pool live under one hash tag and are changed by one script, called by one task: it
gathers every take and correction that came up meanwhile into one round trip. A call to the store
is never cancelled; whoever stopped waiting for it has what it took given back. Knows no library:
`call` carries a document to the script and raises StoreAway if it cannot.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import msgspec

from sidecar.core.clock import Clock
from sidecar.limits import script
from sidecar.limits.book import Chosen, Waits
from sidecar.limits.breaker import StoreBreaker
from sidecar.limits.bucket import US, Bucket
from sidecar.limits.debts import Debts
from sidecar.limits.held import Held, claims
from sidecar.limits.local import LocalShare
from sidecar.limits.mirror import Mirror
from sidecar.limits.script import Asked, Denial, Grant, Known, Owed
from sidecar.limits.share import Fleet

Mode = Literal["exact", "share", "closed", "open"]
Call = Callable[[Sequence[str], bytes], Awaitable[Sequence[object]]]

MOST_TAKES = 16
"""Takes in one call: the script holds the server up for all of them together."""

AGAIN_S = 0.05
"""When what may not have arrived is sent again, the first time."""


class StoreAway(Exception):
    """The store did not answer; what was asked may or may not have happened."""


class Settings(msgspec.Struct, frozen=True):
    """How a pod behaves towards the store. Seconds.

    `replicas`: how many pods share the limits at most; None: as many as were seen, and
    `unseen_pods` for a pod that starts while the store is away. `command_timeout_s`: a decision
    that takes longer is made alone. `linger_s`: how long a correction may wait for a take to ride
    along, `seat_linger_s` the same for a seat given back while seats are scarce. `on_loss`: what
    happens without the store: share (the pod's part), closed (nothing leaves), open (every pod has
    the whole limit).
    `clock_time`: the script goes by this process's clock, for virtual time, not by the server's.
    """

    prefix: str = "headway"
    replicas: int | None = None
    unseen_pods: int = 16
    command_timeout_s: float = 0.05
    linger_s: float = 2.0
    seat_linger_s: float = 0.02
    beat_s: float = 5.0
    on_loss: Literal["share", "closed", "open"] = "share"
    clock_time: bool = False


class _Pending:
    """A take on its way, and whoever waits for it."""

    __slots__ = ("asked", "future")

    def __init__(self, asked: Asked, future: asyncio.Future[Grant | Denial | None]) -> None:
        self.asked = asked
        self.future = future


class Pool:
    """The line of this pod to one pool. `on_mode` hears of every change between exact and alone."""

    def __init__(
        self,
        name: str,
        pod: str,
        clock: Clock,
        call: Call,
        settings: Settings,
        breaker: StoreBreaker,
        on_mode: Callable[[str, Mode], None],
        give_back: Callable[[Asked, Grant], None],
    ) -> None:
        self.name = name
        self.mirror = Mirror(clock, settings.clock_time)
        self.round_trips = 0
        self.mode: Mode = "exact"
        self.fleet = Fleet(settings.replicas or settings.unseen_pods)
        self.alone: LocalShare | None = None
        self.debts = Debts(clock)
        self.held: dict[str, Held] = {}
        self._pod = pod
        self._clock = clock
        self._call = call
        self._settings = settings
        self._breaker = breaker
        self._on_mode = on_mode
        self._give_back = give_back
        self._known = Known()
        self._takes: list[_Pending] = []
        self._batch = 0
        self._sent: list[Owed] = []
        self._beat_at = 0.0
        self._slow_at = -math.inf
        self._nonces = 0
        self._closing = False
        self._wake = asyncio.Event()
        self._said = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"limits {name}")

    async def decide(self, asked: Asked) -> Grant | Denial | Chosen | Waits:
        """The store's decision, or this pod's own while the store is away (Chosen, Waits)."""
        while not self._breaker.open and not self._closing:
            answer = await self._ask(asked)
            if answer is not None:
                return answer
        return self._decide_alone(asked)

    def owe(self, owed: Sequence[Owed]) -> None:
        """Tell the store, soon."""
        if owed:
            scarce = any(one.kind == "free" and self.mirror.scarce(one.bucket) for one in owed)
            linger = self._settings.seat_linger_s if scarce else self._settings.linger_s
            self.debts.add(owed, linger)
            self._wake.set()

    def keep(self, held: Held) -> None:
        """A seat is held from now on: the pod has to show that it lives."""
        self.held[held.reservation.id] = held
        if len(self.held) == 1:
            self._wake.set()

    def reconnected(self) -> None:
        """The connection is a new one: the server may be another, with an older state."""
        self._known = msgspec.structs.replace(self._known, reconnected=True)

    @property
    def generation(self) -> str:
        return self._known.generation

    async def flush(self) -> None:
        """Return when nothing is owed any more, or the store is away."""
        while (self.debts or self._sent) and not self._breaker.open:
            self._said.clear()
            await self._said.wait()

    async def aclose(self) -> None:
        """Send what is owed, if the store is there, and stop."""
        self._closing = True
        self._wake.set()
        await self._task

    async def _ask(self, asked: Asked) -> Grant | Denial | None:
        """None: no answer in time. Whatever is granted after that is given back."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Grant | Denial | None] = loop.create_future()
        self._takes.append(_Pending(asked, future))
        self._wake.set()
        timer = loop.call_later(self._settings.command_timeout_s, self._expire, future)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._return(asked, future.result())
            raise
        finally:
            timer.cancel()

    def _expire(self, future: asyncio.Future[Grant | Denial | None]) -> None:
        if future.done():
            return
        future.set_result(None)
        now = self._clock.now()
        # One slow call, or one pause of this very process, is one failure, however many wait.
        if now - self._slow_at >= self._settings.command_timeout_s / 2:
            self._slow_at = now
            self._failed()

    def _return(self, asked: Asked, answer: Grant | Denial | None) -> None:
        if isinstance(answer, Grant):
            self._give_back(asked, answer)

    def _decide_alone(self, asked: Asked) -> Chosen | Waits:
        now = self.mirror.now_us()
        if self._settings.on_loss == "closed" or self.alone is None:
            first = next((bucket for _, buckets in asked.candidates for bucket in buckets), None)
            return Waits(now + US, first, False)
        return self.alone.decide(asked.candidates, asked.ask, now)

    # The writer.

    async def _run(self) -> None:
        while not self._closing:
            if self._breaker.open:
                await self._pause(self._breaker.probe_in_s())
            elif not self._takes:
                await self._pause(self._idle_s())
            if self._breaker.open or self._takes or self._due():
                await self._exchange()
        while (self.debts or self._sent) and not self._breaker.open:
            await self._exchange()

    async def _pause(self, seconds: float | None) -> None:
        """Until there is something to do, or `seconds` have passed; an open breaker only waits."""
        self._wake.clear()
        if self._closing:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
                while self._breaker.open and not self._closing:
                    self._wake.clear()
                    await self._wake.wait()

    def _idle_s(self) -> float | None:
        """How long there is nothing to do: until a correction is due, or the next heartbeat."""
        if self._sent:
            return AGAIN_S
        waits = [self.debts.due_in_s()]
        if self.debts or self.held:
            waits.append(max(self._beat_at - self._clock.now(), 0.0))
        known = [wait for wait in waits if wait is not None]
        return max(min(known), 0.0) if known else None

    def _due(self) -> bool:
        wait = self._idle_s()
        return bool(self._sent) or (wait is not None and wait <= 0.0)

    async def _exchange(self) -> None:
        """One round trip with everything there is to say."""
        takes = [] if self._breaker.open else self._gather()
        if not self._sent and (self.debts or self._known.reconnected):
            self._batch += 1
            self._sent = self._healing() + self.debts.pop()
        beat = self._clock.now() >= self._beat_at
        sheet = script.Sheet(self._settings.prefix, self.name, self.mirror.seen)
        document = sheet.document(
            self._pod,
            self._known,
            self._nonce(),
            takes=[pending.asked for pending in takes],
            owed=self._sent,
            batch=self._batch if self._sent else 0,
            beat=beat,
            now=self._clock.now() * US if self._settings.clock_time else None,
        )
        self.round_trips += 1
        try:
            answer = sheet.answer(await self._call(sheet.keys, document))
        except (StoreAway, ValueError, TypeError):
            # An answer that cannot be read is no answer: something else speaks at that address.
            self._lost(takes)
        else:
            self._sent = []
            self._learn(answer, beat)
            self._deliver(takes, answer)
        self._said.set()

    def _gather(self) -> list[_Pending]:
        """Those still waited for; the rest were not sent, so nothing is lost."""
        waiting = [pending for pending in self._takes if not pending.future.done()]
        self._takes = waiting[MOST_TAKES:]
        return waiting[:MOST_TAKES]

    def _deliver(self, takes: Sequence[_Pending], answer: script.Answer) -> None:
        for pending, decision in zip(takes, answer.takes, strict=True):
            if decision is None and not pending.future.done():
                self._takes.insert(0, pending)
            elif pending.future.done():
                self._return(pending.asked, decision)
            else:
                pending.future.set_result(decision)

    def _learn(self, answer: script.Answer, beat: bool) -> None:
        before, ours = self._known, answer.generation == self._nonce()
        self._known = Known(answer.generation, answer.version, answer.now, reconnected=False)
        lost = before.generation and before.generation != answer.generation
        healing = self._heal(answer.generation) if lost else []
        self.mirror.update(answer)
        self.debts.add(healing, 0.0, first=True)
        if beat:
            self._beat_at = self._clock.now() + self._settings.beat_s
            pods = max(answer.pods, self._settings.replicas or 1)
            self.fleet = Fleet(pods, answer.rank)
        elif answer.pods > self.fleet.pods:
            # Newcomers get their share at once, should the store be lost now; a fall is believed
            # only with a heartbeat, since an emptied store knows nobody. The place is asked anew.
            self.fleet = Fleet(answer.pods)
            self._beat_at = self._clock.now()
        self._nonces += ours
        if self._breaker.worked():
            self._back(answer.now)

    # Loss and healing.

    def _failed(self) -> None:
        if self._breaker.failed():
            self.mode = self._settings.on_loss
            began = self.mirror.now_us()
            whole = self.mode == "open"
            fleet = Fleet(1) if whole else self.fleet
            if self.mode != "closed":
                self.alone = LocalShare(fleet, dict(self.mirror.seen), began, whole=whole)
            self._on_mode(self.name, self.mode)
            self._wake.set()

    def _lost(self, takes: Sequence[_Pending]) -> None:
        # A pod that could not reach the store before its first word cannot know that nobody used
        # it: with a version, an empty store is one that lost its state.
        version = max(self._known.version, 1)
        self._known = msgspec.structs.replace(self._known, version=version, reconnected=True)
        self._failed()
        for pending in takes:
            if not pending.future.done():
                pending.future.set_result(None)

    def _back(self, now: float) -> None:
        """The store answers again: tell it what was taken meanwhile, and who still holds seats."""
        if self.alone is not None:
            self.debts.add(self.alone.debts(now) + claims(self.held.values()), 0.0)
        self.alone = None
        self.mode = "exact"
        self._on_mode(self.name, self.mode)

    def _healing(self) -> list[Owed]:
        """After a reconnection: everything seen, since the server may have lost the end of it."""
        if not self._known.reconnected or not self._known.generation:
            return []
        return self.mirror.heal(lost=False)

    def _heal(self, generation: str) -> list[Owed]:
        """The store lost its state: what we knew, and for a while the seats of those who have
        not spoken yet."""
        owed = self.mirror.heal(lost=True) + claims(self.held.values())
        return owed + self.mirror.ghosts(generation, 1.2 * self._settings.beat_s)

    def _nonce(self) -> str:
        return f"{self._pod}.{self._nonces}"


def buckets_of(asked: Asked, index: int) -> tuple[Bucket, ...]:
    """The buckets of candidate `index`."""
    return asked.candidates[index][1]
