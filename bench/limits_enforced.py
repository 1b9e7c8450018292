"""Whole daemons against a provider's own enforcement: python -m bench.limits_enforced [seconds]

The gateway with everything in it, in virtual time, saturated by 60 callers; the provider is the
fake one, with its own arithmetic for every kind of limit, and each request reaches it up to 250 ms
later than it left. Prints how many were refused with 429, and how much of the limit was used.
Acceptance: limits reference 5.3, figure 7.
"""

from __future__ import annotations

import asyncio
import random
import sys

import httpx
import msgspec

from bench.limits_table import Figure, show
from sidecar.core.failure import RequestFailed
from sidecar.limits.bucket import Bucket, Dimension, spaced, window_safe
from sidecar.testing import FakeProvider, FakeTransport, ProviderConfig, virtual
from sidecar.testing.quotas import Kind, Quota
from tests.gateway.house import House

JITTER_S = 0.25
SECONDS = 1200.0
CALLERS = 60
COMMAND = "python -m bench.limits_enforced"


class Case(msgspec.Struct, frozen=True):
    """`ours` as (requests, per, burst) is what is configured against `theirs`."""

    name: str
    ours: tuple[int, float, int]
    theirs: Quota
    least_use: float


class Late(FakeTransport):
    """A network that delays every request by a time of its own."""

    rng = random.Random(5)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self.rng.uniform(0.0, JITTER_S))
        return await super().handle_async_request(request)


class Enforced(House):
    """A house whose first provider enforces a limit by itself."""

    def __init__(self, case: Case) -> None:
        self._quota = case.theirs
        requests, per_s, burst = case.ours
        super().__init__(
            limits=f"{{requests: {requests}, per: {per_s * 1000:.0f}ms, burst: {burst}}}",
            max_streams=1000,
            max_waiting=1000,
        )
        late = Late({"alpha": self.first, "beta": self.second}, self.clock)
        self.transport.handle_async_request = late.handle_async_request  # type: ignore[method-assign]

    def _provider(self, name: str, faults: tuple[str, ...]) -> FakeProvider:
        made = super()._provider(name, faults)
        if name != "deepseek":
            return made
        config: ProviderConfig = msgspec.structs.replace(made.config, quotas=(self._quota,))
        return FakeProvider(config, self.clock, made.script)

    def outcome(self, seconds: float) -> tuple[int, int]:
        """How many got in, and how many were refused, within `seconds`."""
        came = [entry for entry in self.first.log if entry.received_s <= seconds]
        return (
            sum(entry.status == 200 for entry in came),
            sum(entry.status == 429 for entry in came),
        )


async def saturate(case: Case, seconds: float) -> tuple[int, int]:
    house = Enforced(case)

    async def caller(number: int) -> None:
        while house.clock.now() < seconds:
            try:
                await house.ask(timeout_s=3600.0, caller=str(number))
            except RequestFailed:
                await asyncio.sleep(1.0)

    tasks = [asyncio.ensure_future(caller(number)) for number in range(CALLERS)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    outcome = house.outcome(seconds)
    await house.aclose()
    return outcome


def quota(kind: Kind, amount: int, burst: int | None = None) -> Quota:
    return Quota("rpm", kind, amount, 60.0, burst=burst)


def against(burst: int, amount: int = 60) -> tuple[int, float, int]:
    """What to configure against a bucket of `burst`."""
    ours = spaced(Bucket("b", "p", Dimension.REQUESTS, amount, 60.0, amount), burst, JITTER_S)
    return ours.limit, ours.per_s, ours.burst


CASES = (
    Case("token bucket, 60/min, burst 2", against(2), quota("bucket", 60, 2), 0.95),
    Case("token bucket, 60/min, burst 10", against(10), quota("bucket", 60, 10), 0.95),
    Case("token bucket, 600/min, burst 20", against(20, 600), quota("bucket", 600, 20), 0.95),
    Case("fixed window, 60/min", window_safe(60, 60.0, 2, JITTER_S), quota("fixed", 60), 0.95),
    Case("sliding window, 60/min", window_safe(60, 60.0, 2, JITTER_S), quota("sliding", 60), 0.95),
    Case(
        "sliding window, 500/min", window_safe(500, 60.0, 15, JITTER_S), quota("sliding", 500), 0.95
    ),
    Case("one per second, strictly", against(1), quota("quantised", 60), 0.78),
)


def figures(seconds: float = SECONDS) -> list[Figure]:
    found = []
    for case in CASES:
        accepted, refused = virtual.run(saturate(case, seconds))
        use = accepted / (case.theirs.amount * seconds / 60.0)
        found.append(
            Figure(
                f"provider's {case.name}",
                f"0 refused, >= {case.least_use:.0%} used",
                f"{refused} of {accepted + refused} refused, {use:.1%} used",
                refused == 0 and use >= case.least_use,
                COMMAND,
            )
        )
    return found


if __name__ == "__main__":
    show(figures(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
