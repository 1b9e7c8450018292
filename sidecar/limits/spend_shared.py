"""Budgets that all pods share, whatever carries the script: what this pod reserves and corrects.

Without the store a pod spends its own part of what was left when it was last told, and brings the
sum back later. Every doubt counts as spent: an answer that was lost may have been a reservation.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from sidecar.core.clock import Clock
from sidecar.core.tasks import ended
from sidecar.limits.pool import StoreAway
from sidecar.limits.spend import LINGER_NS, Account, Spent, fits

Call = Callable[[Sequence[str], bytes], Awaitable[Sequence[Any]]]

COMMAND_S = 0.05
"""A decision that takes longer is made alone (limits reference, 2.6)."""
TELL_S = 5.0
"""How often the sums are told and heard where no reservation does it."""
SOON_S = 0.2
"""A correction waits so long for others."""


class _Row(msgspec.Struct):
    limit: int
    nonce: str
    version: int
    sum: int
    lasts: int
    add: int


class _Document(msgspec.Struct):
    pod: str
    batch: int
    nonce: str
    takes: bool
    amount: int
    rows: list[_Row]


class _Known:
    """One account as this pod knows it. `owed` was not told yet, `sent` is on its way."""

    __slots__ = ("account", "allowance", "nonce", "owed", "sent", "sum", "version")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.nonce, self.version, self.sum = "", 0, 0
        self.owed = self.sent = 0
        self.allowance: int | None = None

    @property
    def spent(self) -> int:
        return self.sum + self.owed + self.sent


def text() -> str:
    """The script."""
    return (files("sidecar.limits") / "lua" / "spend.lua").read_text("utf-8")


class SharedSpend:
    """See SpendStore. `pods` says how many share what is left while the store is away."""

    def __init__(
        self,
        clock: Clock,
        call: Call,
        pod: str,
        rng: random.Random,
        pods: Callable[[], int],
        *,
        prefix: str = "headway",
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.away = False
        self._clock = clock
        self._call = call
        self._close = close
        self._pod = f"{pod}.{rng.getrandbits(32):08x}"
        self._random = rng
        self._pods = pods
        self._prefix = prefix
        self._known: dict[str, _Known] = {}
        self._batch = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[int | None]] = set()

    # -- reservations ------------------------------------------------------------------------

    async def reserve(self, accounts: Sequence[Account], nano_usd: int) -> Spent | None:
        known = [self._of(account) for account in accounts]
        if self.away:
            return self._alone(known, nano_usd)
        task = asyncio.get_running_loop().create_task(self._exchange(known, nano_usd))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        done: set[asyncio.Task[int | None]] = set()
        try:
            done, _ = await asyncio.wait({task}, timeout=COMMAND_S)
        finally:
            if not done:
                # Whatever it grants comes too late: it is given back.
                task.add_done_callback(lambda late: self._too_late(late, known, nano_usd))
        refused = task.result() if done else None
        if refused is None:
            self._lost()
            return self._alone(known, nano_usd)
        return Spent(known[refused - 1].account, known[refused - 1].spent) if refused else None

    def _too_late(
        self, late: asyncio.Task[int | None], known: Sequence[_Known], nano_usd: int
    ) -> None:
        if not late.cancelled() and late.result() == 0:
            for one in known:
                self.correct(one.account, -nano_usd)

    def _alone(self, known: Sequence[_Known], nano_usd: int) -> Spent | None:
        for one in known:
            if one.allowance is None:
                left = max(one.account.rule.limit_nano_usd - one.spent, 0)
                one.allowance = left // max(self._pods(), 1)
            if not fits(0, nano_usd, one.allowance):
                return Spent(one.account, one.spent)
        for one in known:
            assert one.allowance is not None
            one.allowance -= nano_usd
            one.owed += nano_usd
        return None

    def correct(self, account: Account, nano_usd: int) -> None:
        one = self._of(account)
        one.owed += nano_usd
        if one.allowance is not None:
            one.allowance -= nano_usd
        self._wake.set()

    def spent(self, account: Account) -> int:
        one = self._known.get(account.key)
        return one.spent if one is not None else 0

    def recall(self, account: Account, nano_usd: int) -> None:
        one = self._of(account)
        if not one.nonce:
            one.sum = max(one.sum, nano_usd)

    # -- the line to the store ---------------------------------------------------------------

    def start(self, accounts: Sequence[Account]) -> None:
        for account in accounts:
            self._of(account)
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._tell(), name="budgets")

    async def _tell(self) -> None:
        while True:
            await self._pause()
            self._forget()
            if not self._known:
                continue
            known = list(self._known.values())
            self._load(known)
            if await self._exchange(known) is None:
                self._lost()
                await self._until_taken(known)

    def _load(self, known: Sequence[_Known]) -> None:
        """Everything owed becomes the next batch."""
        self._batch += 1
        for one in known:
            one.sent, one.owed = one.owed, 0

    async def _until_taken(self, known: list[_Known]) -> None:
        """The same batch again: it is applied once, however often it is sent."""
        while True:
            await asyncio.sleep(self._random.uniform(SOON_S, 2.5 * SOON_S))
            if await self._exchange(known) is not None:
                return

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TELL_S):
                await self._wake.wait()
                await asyncio.sleep(SOON_S)
        self._wake.clear()

    async def _exchange(self, known: Sequence[_Known], take: int | None = None) -> int | None:
        """One call: 0 or which account refused; None: no answer. Tells what is owed if `take` is
        None."""
        batch = self._batch if take is None else 0
        document = _Document(
            pod=self._pod,
            batch=batch,
            nonce=f"{self._random.getrandbits(64):016x}",
            takes=take is not None,
            amount=take or 0,
            rows=[self._row(one, tells=take is None) for one in known],
        )
        keys = [f"{self._prefix}:{{spend}}:{one.account.key}" for one in known]
        try:
            refused, seen = await self._call(keys, msgspec.msgpack.encode(document))
            rows = [(nonce.decode(), int(v), int(s)) for nonce, v, s in seen]
        except (StoreAway, ValueError, TypeError, AttributeError):
            return None
        for one, row in zip(known, rows, strict=True):
            if row[0] != one.nonce or row[1] > one.version:
                one.nonce, one.version, one.sum = row
            if take is None:
                one.sent = 0
                one.allowance = None
        if take is None:
            self.away = False
        return int(refused)

    def _row(self, one: _Known, *, tells: bool) -> _Row:
        lasts_ns = one.account.window.end_ns + LINGER_NS - self._clock.wall_ns()
        return _Row(
            limit=one.account.rule.limit_nano_usd,
            nonce=one.nonce,
            version=one.version,
            sum=one.sum,
            lasts=max(lasts_ns // 1_000_000, 1000),
            add=one.sent if tells else 0,
        )

    def _lost(self) -> None:
        self.away = True
        self._wake.set()

    def _of(self, account: Account) -> _Known:
        one = self._known.get(account.key)
        if one is None:
            one = self._known[account.key] = _Known(account)
        elif one.account is not account:
            one.account = account
        return one

    def _forget(self) -> None:
        now_ns = self._clock.wall_ns()
        ended = [k for k, o in self._known.items() if o.account.window.end_ns + LINGER_NS < now_ns]
        for key in ended:
            del self._known[key]

    async def aclose(self) -> None:
        """Tell what is owed, if the store is there, and stop."""
        await ended([self._task])
        if self._calls:
            await asyncio.gather(*self._calls, return_exceptions=True)
        known = list(self._known.values())
        if any(one.sent for one in known):
            await self._exchange(known)
        if any(one.owed for one in known) and not any(one.sent for one in known):
            self._load(known)
            await self._exchange(known)
        if self._close is not None:
            await self._close()
