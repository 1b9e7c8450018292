"""The provider's log and bill: what every attempt asked, got, and cost."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from sidecar.core.money import Cost, Price, cost_of
from sidecar.core.request import Prefix
from sidecar.core.usage import Usage


class Ending(enum.Enum):
    """How the connection of an attempt ended.

    COMPLETE: our side sent all that HTTP asked for. REFUSED: the same, with an error status.
    CUT: we closed or reset it. CLIENT_CLOSED: the client went away first. STOPPED: the provider
    was shut down. RUNNING: not at all yet.
    """

    RUNNING = "running"
    COMPLETE = "complete"
    REFUSED = "refused"
    CUT = "cut"
    CLIENT_CLOSED = "client_closed"
    STOPPED = "stopped"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. Times are seconds since the provider began, to the millisecond.

    `key` is the alias, never the secret. `fault` is what was applied, as written. `body` is the
    request's JSON, None once the provider keeps newer ones. `usage` is what is billed, `cost` its
    price. `blocked_s` is how long the client did not read while there was something to send.
    """

    number: int
    received_s: float
    received_wall_ns: int
    dialect: str
    flavour: str
    path: str
    model: str
    key: str
    account: str
    stream: bool
    body_bytes: int
    body: dict[str, Any] | None
    prefix: Prefix | None
    fault: str
    status: int
    head_s: float | None
    first_token_s: float | None
    last_byte_s: float | None
    ended_s: float | None
    ending: Ending
    sent_bytes: int
    blocked_s: float
    usage: Usage
    cost: Cost

    @property
    def is_over(self) -> bool:
        return self.ending is not Ending.RUNNING


class Line(msgspec.Struct, frozen=True):
    """A line of the bill, or its sum."""

    attempts: int = 0
    billed_attempts: int = 0
    usage: Usage = Usage()
    cost: Cost = Cost()

    def __add__(self, other: Line) -> Line:
        return Line(
            self.attempts + other.attempts,
            self.billed_attempts + other.billed_attempts,
            self.usage + other.usage,
            self.cost + other.cost,
        )


class Bill(msgspec.Struct, frozen=True):
    """What was charged: in all, and by model and key alias."""

    total: Line
    by_model: dict[str, Line]
    by_key: dict[str, Line]

    @property
    def total_nano_usd(self) -> int:
        return self.total.cost.total_nano_usd


class Journal:
    """Keeps the last attempts whole, and the sums of all of them for ever.

    `watchers` are called after every step of every attempt.
    """

    def __init__(self, keep: int, keep_bodies: int) -> None:
        self._kept: deque[Entry] = deque(maxlen=keep)
        self._keep_bodies = keep_bodies
        self._running: dict[int, Callable[[], Entry]] = {}
        self._models: dict[str, Line] = {}
        self._keys: dict[str, Line] = {}
        self.watchers: list[Callable[[], None]] = []

    def began(self, number: int, entry: Callable[[], Entry]) -> None:
        """Attempt `number` is running; `entry` tells how it stands whenever somebody asks."""
        self._running[number] = entry

    def ended(self, number: int) -> None:
        """Attempt `number` is over: its entry changes no more."""
        entry = self._running.pop(number)()
        line = _line(entry)
        self._models[entry.model] = self._models.get(entry.model, Line()) + line
        self._keys[entry.key] = self._keys.get(entry.key, Line()) + line
        self._kept.append(entry)
        self._forget_body()
        self.moved()

    def moved(self) -> None:
        """Something happened in an attempt: whoever watches may look."""
        for watcher in self.watchers:
            watcher()

    def _forget_body(self) -> None:
        if len(self._kept) > self._keep_bodies:
            place = len(self._kept) - self._keep_bodies - 1
            self._kept[place] = msgspec.structs.replace(self._kept[place], body=None)

    @property
    def running(self) -> int:
        """How many attempts are open."""
        return len(self._running)

    @property
    def over(self) -> int:
        """How many attempts have ended."""
        return sum(line.attempts for line in self._models.values())

    def entries(self) -> tuple[Entry, ...]:
        """All attempts that are kept, the running ones too, in the order of their arrival."""
        now = [tell() for tell in self._running.values()]
        return tuple(sorted([*self._kept, *now], key=lambda entry: entry.number))

    def bill(self) -> Bill:
        """What was charged so far; a running attempt counts with what it has sent."""
        models, keys = dict(self._models), dict(self._keys)
        for tell in self._running.values():
            entry = tell()
            models[entry.model] = models.get(entry.model, Line()) + _line(entry)
            keys[entry.key] = keys.get(entry.key, Line()) + _line(entry)
        return Bill(_sum(models.values()), models, keys)


def charge(usage: Usage, prices: dict[str, Price], model: str, plain_model: str) -> Cost:
    """The cost of `usage` by the price of the model, of its name without faults, or of "*"."""
    price = prices.get(model) or prices.get(plain_model) or prices.get("*")
    return cost_of(usage, price)


def _line(entry: Entry) -> Line:
    return Line(1, 1 if entry.usage.total_tokens else 0, entry.usage, entry.cost)


def _sum(lines: Iterable[Line]) -> Line:
    total = Line()
    for line in lines:
        total += line
    return total
