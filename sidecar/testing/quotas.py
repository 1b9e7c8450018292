"""Limits as providers enforce them, each in its own arithmetic, and how they tell about them.

These are written apart from `sidecar.limits` on purpose: what is tested must not judge itself.
Times are seconds on the caller's clock.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from typing import Literal

import msgspec

Kind = Literal["bucket", "fixed", "sliding", "quantised", "concurrency"]
Dimension = Literal["requests", "tokens", "input_tokens", "output_tokens"]


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One limit: `amount` of a dimension per `per_s` seconds, for each key or for an account.

    bucket: `burst` (default: `amount`) at once, refilled continuously. fixed: windows that begin
    at multiples of `per_s`. sliding: any window of `per_s`. quantised: one request, then nothing
    for `per_s / amount`. concurrency: `amount` at a time, `per_s` means nothing.

    Tokens are charged at receipt: the input, and of the output its maximum (what the model will
    say, if none was given) with `charge` "reserved", or nothing with "actual": then the output
    is charged at the end and may leave a debt. `models` empty means all. `counts_refused`: a
    refused request counts too. `tells` False: a bare 429 without numbers.
    """

    name: str
    kind: Kind
    amount: int
    per_s: float = 60.0
    dimension: Dimension = "requests"
    scope: Literal["key", "account"] = "account"
    burst: int | None = None
    models: tuple[str, ...] = ()
    charge: Literal["reserved", "actual"] = "reserved"
    counts_refused: bool = False
    tells: bool = True


class Cost(msgspec.Struct, frozen=True):
    """What one request takes, known at receipt: tokens, and the output that is reserved."""

    input_tokens: int
    reserved_tokens: int

    def of(self, quota: Quota) -> int:
        reserved = self.reserved_tokens if quota.charge == "reserved" else 0
        return {
            "requests": 1,
            "input_tokens": self.input_tokens,
            "output_tokens": reserved,
            "tokens": self.input_tokens + reserved,
        }[quota.dimension]


class Level(msgspec.Struct, frozen=True):
    """Where a limit stands: what is left, and seconds until all of it is free again."""

    quota: Quota
    amount: int
    remaining: int
    reset_s: float


class Refused(msgspec.Struct, frozen=True):
    """A limit that said no, what was used of it, what was asked, and when it would say yes."""

    quota: Quota
    amount: int
    used: int
    asked: int
    wait_s: float


class Gate(ABC):
    """The state of one limit for one key or account."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.amount = quota.amount

    @abstractmethod
    def wait_s(self, cost: int, now: float) -> float:
        """Seconds until `cost` would pass; 0 if it passes now, infinity if never."""

    @abstractmethod
    def take(self, cost: int, now: float) -> None:
        """Count it, whether it fits or not."""

    @abstractmethod
    def used(self, now: float) -> float:
        """How much of the amount is in use."""

    @abstractmethod
    def reset_s(self, now: float) -> float:
        """Seconds until nothing of it is in use, if nothing more comes."""

    def release(self) -> None:
        """The request has ended; only a limit of concurrency cares."""
        return


class BucketGate(Gate):
    """Tokens trickle in at amount / per_s, up to the burst; debt is allowed."""

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self._used = 0.0
        self._at = 0.0

    def _burst(self) -> int:
        return self.amount if self.quota.burst is None else self.quota.burst

    def used(self, now: float) -> float:
        drained = (now - self._at) * self.amount / self.quota.per_s
        return max(self._used - drained, 0.0)

    def take(self, cost: int, now: float) -> None:
        self._used, self._at = self.used(now) + cost, now

    def wait_s(self, cost: int, now: float) -> float:
        if cost > self._burst():
            return math.inf
        over = self.used(now) + cost - self._burst()
        # A millionth of a unit is rounding: whoever waits exactly as long as told must pass.
        return max(over, 0.0) * self.quota.per_s / self.amount if over > 1e-6 else 0.0

    def reset_s(self, now: float) -> float:
        return self.used(now) * self.quota.per_s / self.amount


class FixedGate(Gate):
    """A counter that starts again at every multiple of the window."""

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self._window = -1
        self._used = 0

    def _left_s(self, now: float) -> float:
        return self.quota.per_s - now % self.quota.per_s

    def used(self, now: float) -> float:
        return self._used if int(now // self.quota.per_s) == self._window else 0

    def take(self, cost: int, now: float) -> None:
        self._used = int(self.used(now)) + cost
        self._window = int(now // self.quota.per_s)

    def wait_s(self, cost: int, now: float) -> float:
        if cost > self.amount:
            return math.inf
        return self._left_s(now) if self.used(now) + cost > self.amount else 0.0

    def reset_s(self, now: float) -> float:
        return self._left_s(now) if self.used(now) else 0.0


class SlidingGate(Gate):
    """A log: no window of `per_s`, wherever it begins, holds more than the amount."""

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self._log: deque[tuple[float, int]] = deque()
        self._sum = 0

    def _forget(self, now: float) -> None:
        while self._log and self._log[0][0] <= now - self.quota.per_s:
            self._sum -= self._log.popleft()[1]

    def used(self, now: float) -> float:
        self._forget(now)
        return self._sum

    def take(self, cost: int, now: float) -> None:
        self._forget(now)
        self._log.append((now, cost))
        self._sum += cost

    def wait_s(self, cost: int, now: float) -> float:
        if cost > self.amount:
            return math.inf
        left = self.used(now) + cost - self.amount
        for when, taken in self._log:
            if left <= 0:
                break
            left -= taken
            if left <= 0:
                return when + self.quota.per_s - now
        return 0.0

    def reset_s(self, now: float) -> float:
        self._forget(now)
        return self._log[-1][0] + self.quota.per_s - now if self._log else 0.0


class QuantisedGate(Gate):
    """One, and then nothing for per_s / amount: how "60 a minute" may mean one a second."""

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self._next_at = -math.inf

    def used(self, now: float) -> float:
        return self.amount if now < self._next_at - 1e-9 else 0

    def take(self, cost: int, now: float) -> None:
        self._next_at = max(self._next_at, now) + cost * self.quota.per_s / self.amount

    def wait_s(self, cost: int, now: float) -> float:
        return self._next_at - now if self.used(now) else 0.0

    def reset_s(self, now: float) -> float:
        return max(self._next_at - now, 0.0)


class ConcurrencyGate(Gate):
    """So many at a time. When a place becomes free, nobody can tell."""

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self._running = 0

    def used(self, now: float) -> float:
        return self._running

    def take(self, cost: int, now: float) -> None:
        self._running += 1

    def wait_s(self, cost: int, now: float) -> float:
        return math.inf if self._running >= self.amount else 0.0

    def reset_s(self, now: float) -> float:
        return 0.0

    def release(self) -> None:
        self._running -= 1


GATES: dict[Kind, type[Gate]] = {
    "bucket": BucketGate,
    "fixed": FixedGate,
    "sliding": SlidingGate,
    "quantised": QuantisedGate,
    "concurrency": ConcurrencyGate,
}


class Hold:
    """What one admitted request took; `end` charges the output and frees its places."""

    def __init__(self, gates: list[Gate]) -> None:
        self._gates = gates

    def end(self, output_tokens: int, now: float) -> None:
        for gate in self._gates:
            gate.release()
            if gate.quota.charge == "actual" and gate.quota.dimension in (
                "tokens",
                "output_tokens",
            ):
                gate.take(output_tokens, now)

    def levels(self, now: float) -> list[Level]:
        return [_level(gate, now) for gate in self._gates]


class Quotas:
    """All limits of a provider. A request passes all of its gates, or none counts it."""

    def __init__(self, quotas: Iterable[Quota]) -> None:
        self._quotas = tuple(quotas)
        self._gates: dict[tuple[str, str], Gate] = {}

    def take(self, key: str, account: str, model: str, cost: Cost, now: float) -> Hold | Refused:
        """Let a request in, or name the gate that it would wait for longest."""
        gates = [self._gate(quota, key, account) for quota in self._for(model)]
        refused = [gate for gate in gates if gate.wait_s(cost.of(gate.quota), now) > 0]
        if not refused:
            for gate in gates:
                gate.take(cost.of(gate.quota), now)
            return Hold(gates)
        worst = max(refused, key=lambda gate: gate.wait_s(cost.of(gate.quota), now))
        answer = _refused(worst, cost.of(worst.quota), now)
        for gate in gates:
            if gate.quota.counts_refused:
                gate.take(cost.of(gate.quota), now)
        return answer

    def change(self, name: str, amount: int) -> None:
        """Another amount for the limit `name`, at once and with what is running. KeyError."""
        if all(quota.name != name for quota in self._quotas):
            raise KeyError(name)
        self._quotas = tuple(
            msgspec.structs.replace(quota, amount=amount) if quota.name == name else quota
            for quota in self._quotas
        )
        for (quota_name, _), gate in self._gates.items():
            if quota_name == name:
                gate.amount = amount

    def _for(self, model: str) -> list[Quota]:
        return [quota for quota in self._quotas if not quota.models or model in quota.models]

    def _gate(self, quota: Quota, key: str, account: str) -> Gate:
        owner = key if quota.scope == "key" else account
        if (quota.name, owner) not in self._gates:
            self._gates[quota.name, owner] = GATES[quota.kind](quota)
        return self._gates[quota.name, owner]


def _level(gate: Gate, now: float) -> Level:
    remaining = max(math.floor(gate.amount - gate.used(now)), 0)
    return Level(gate.quota, gate.amount, remaining, gate.reset_s(now))


def _refused(gate: Gate, cost: int, now: float) -> Refused:
    used = math.ceil(gate.used(now))
    return Refused(gate.quota, gate.amount, used, cost, gate.wait_s(cost, now))
