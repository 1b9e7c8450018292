"""What may be spent, and what was: budgets by calendar window, in integer nano-dollars.

An attempt reserves its estimate in all its budgets or in none, and is corrected by what it cost.
What a killed pod had reserved stays spent: the provider bills it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from sidecar.limits.spend_window import Per, Window, window_of

LINGER_NS = 3_600_000_000_000
"""A window is kept so long after its end: the last of its attempts are settled by then."""


class Rule(msgspec.Struct, frozen=True):
    """One budget. Of `caller` and `label` one is set. `free_unpriced`: a model without a known
    price counts as nothing, where else it would be refused."""

    name: str
    per: Per
    limit_nano_usd: int
    zone: str = "UTC"
    caller: str = ""
    label: tuple[str, str] | None = None
    free_unpriced: bool = False

    def covers(self, caller: str, labels: Mapping[str, str]) -> bool:
        """Does a request of `caller` with `labels` spend from it?"""
        if self.label is not None:
            return labels.get(self.label[0]) == self.label[1]
        return caller == self.caller

    @property
    def subject(self) -> str:
        """Whose it is, for people."""
        return "=".join(self.label) if self.label is not None else self.caller

    def account(self, wall_ns: int) -> Account:
        """Its window at that time."""
        return Account(self, window_of(self.per, ZoneInfo(self.zone), wall_ns))


class Account(msgspec.Struct, frozen=True):
    """One budget in one window."""

    rule: Rule
    window: Window

    @property
    def key(self) -> str:
        """Names it in every store."""
        return f"{self.rule.name}:{self.rule.per}:{self.window.start_ns // 1_000_000_000}"


class Spent(msgspec.Struct, frozen=True):
    """What is spent of an account, reservations included."""

    account: Account
    nano_usd: int


class SpendStore(Protocol):
    """Where the sums are."""

    async def reserve(self, accounts: Sequence[Account], nano_usd: int) -> Spent | None:
        """Take from all, or from none: then the one that has too little left."""

    def correct(self, account: Account, nano_usd: int) -> None:
        """Add so much to what was reserved; negative: give back."""

    def spent(self, account: Account) -> int:
        """As far as this pod knows."""

    def recall(self, account: Account, nano_usd: int) -> None:
        """So much at least was spent before this process began."""

    def start(self, accounts: Sequence[Account]) -> None:
        """Begin what runs beside the requests, in the running loop."""

    async def aclose(self) -> None: ...


class MemorySpend:
    """The sums of one daemon."""

    def __init__(self) -> None:
        self._sums: dict[str, int] = {}
        self._ends: dict[str, int] = {}

    async def reserve(self, accounts: Sequence[Account], nano_usd: int) -> Spent | None:
        for account in accounts:
            if not fits(self.spent(account), nano_usd, account.rule.limit_nano_usd):
                return Spent(account, self.spent(account))
        for account in accounts:
            self._open(account)
            self._sums[account.key] += nano_usd
        return None

    def correct(self, account: Account, nano_usd: int) -> None:
        if account.key in self._sums:
            self._sums[account.key] += nano_usd

    def spent(self, account: Account) -> int:
        return self._sums.get(account.key, 0)

    def recall(self, account: Account, nano_usd: int) -> None:
        self._open(account)
        self._sums[account.key] = max(self._sums[account.key], nano_usd)

    def start(self, accounts: Sequence[Account]) -> None:
        """Nothing runs beside."""

    async def aclose(self) -> None:
        """Nothing is owed to anybody."""

    def _open(self, account: Account) -> None:
        """Begin the account, and forget those that ended long ago."""
        if account.key in self._sums:
            return
        begin = account.window.start_ns - LINGER_NS
        for key in [key for key, end_ns in self._ends.items() if end_ns < begin]:
            del self._sums[key], self._ends[key]
        self._sums[account.key], self._ends[account.key] = 0, account.window.end_ns


def fits(spent: int, nano_usd: int, limit: int) -> bool:
    """May so much more be spent? Not even a free request passes where nothing is left."""
    return spent < limit and spent + nano_usd <= limit
