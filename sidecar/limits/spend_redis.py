"""Budgets in Redis. Awaits and decides nothing."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, cast

from redis.exceptions import RedisError

from sidecar.core.clock import Clock
from sidecar.limits import spend_shared
from sidecar.limits.pool import StoreAway
from sidecar.limits.spend_shared import SharedSpend


class Client(Protocol):
    """What is used of a redis.asyncio client."""

    def register_script(self, script: str) -> Callable[..., Awaitable[Any]]: ...

    async def aclose(self) -> None: ...


def redis_spend(
    clock: Clock,
    client: Client,
    pod: str,
    rng: random.Random,
    pods: Callable[[], int],
    prefix: str = "headway",
) -> SharedSpend:
    """The store of budgets on `client`, which is closed with it."""
    run = client.register_script(spend_shared.text())

    async def call(keys: Sequence[str], document: bytes) -> Sequence[Any]:
        try:
            return cast(Sequence[Any], await run(keys=keys, args=[document]))
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreAway(type(error).__name__) from error

    return SharedSpend(clock, call, pod, rng, pods, prefix=prefix, close=client.aclose)
