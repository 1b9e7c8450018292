"""Which store and which cache the configuration asks for."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sidecar.cache.store import Cache, memory_cache, redis_cache
from sidecar.config.load import BadConfig, Problem
from sidecar.config.schema import StoreConfig
from sidecar.core.clock import Clock
from sidecar.keys.secret import Secret, read_secret
from sidecar.limits.board import Board
from sidecar.limits.memory import MemoryStore
from sidecar.limits.spend import MemorySpend, SpendStore
from sidecar.limits.store import Store


def store_for(
    config: StoreConfig, password: Secret | None, clock: Clock, told: Callable[[str, str], None]
) -> Store:
    """The store that `config` names; `password` is what it says the password is. `told` hears
    which pool decides how, whenever that changes."""
    if not config.shared:
        return MemoryStore(clock)
    # Imported here: redis-py costs 10 MB and 60 ms that a daemon alone does not need.
    from sidecar.limits.redis import connect

    rng, pod = random.SystemRandom(), uuid.uuid4().hex[:12]
    return connect(config.url, clock, pod, rng, on_mode=told, access=_access(config, password))


def board_for(config: StoreConfig, password: Secret | None, clock: Clock) -> Board | None:
    """Where the pods that share a store tell each other of keys and targets; None if alone."""
    if not config.shared:
        return None
    from sidecar.limits.board_redis import RedisWire
    from sidecar.limits.redis import client_of

    client: Any = client_of(config.url, _ready, _access(config, password))
    return Board(clock, RedisWire(client), uuid.uuid4().hex[:12], random.SystemRandom())


def spend_for(
    config: StoreConfig, password: Secret | None, clock: Clock, board: Board | None
) -> SpendStore:
    """Where the sums of budgets are; `board` knows how many pods share them."""
    if board is None:
        return MemorySpend()
    from sidecar.limits.redis import client_of
    from sidecar.limits.spend_redis import redis_spend

    client, rng = client_of(config.url, _ready, _access(config, password)), random.SystemRandom()
    return redis_spend(clock, client, uuid.uuid4().hex[:12], rng, lambda: board.pods)


def cache_for(config: StoreConfig, password: Secret | None) -> Cache:
    """The cache beside the store: in memory, or in the same Redis."""
    if not config.shared:
        return memory_cache()
    from sidecar.limits.redis import client_of

    return redis_cache(client_of(config.url, _ready, _access(config, password)))


def password_of(config: StoreConfig, environment: Mapping[str, str]) -> Secret | None:
    """The store's password, None if it has none of its own. Raises BadConfig. Blocks for a file."""
    if config.password_env:
        value = environment.get(config.password_env, "").strip()
        if not value:
            raise BadConfig([Problem("store.password_env", "is a variable that is not set")])
        return Secret(value)
    if not config.password_file:
        return None
    try:
        return read_secret(Path(config.password_file))
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except ValueError:
        why = "holds no password: expected one line of ASCII"
    raise BadConfig([Problem("store.password_file", why)])


def _access(config: StoreConfig, password: Secret | None) -> dict[str, Any]:
    """What the client needs besides the address, by redis-py's names."""
    given = {
        "username": config.user,
        "password": password.reveal() if password is not None else "",
        "ssl_ca_certs": config.ca_file,
    }
    return {name: value for name, value in given.items() if value}


async def _ready(connection: Any) -> None:
    """Complete a connection of the cache's, as the library itself would."""
    await connection.on_connect()
