"""Redis as the common store: one server, Valkey, behind Sentinel, or in a Cluster.

The only file of this room that knows a Redis library; it awaits and decides nothing. Timeouts are
short because a decision can always be made without the store, and nothing is retried here: a take
whose answer was lost may have happened.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, cast
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from sidecar.core.clock import Clock
from sidecar.core.request import Priority
from sidecar.limits import script
from sidecar.limits.book import CLASSES, Class
from sidecar.limits.common import STANDARD, CommonStore, nobody
from sidecar.limits.pool import Mode, Settings, StoreAway

CONNECT_TIMEOUT_S = 0.1
SOCKET_TIMEOUT_S = 1.0
"""When a silent connection is given up. Decisions do not wait for it: `command_timeout_s`."""
SENTINEL_PORT = 26379
REDIS_PORT = 6379
LOGIN = ("username", "password")
NO_ACCESS: Mapping[str, Any] = MappingProxyType({})


class Client(Protocol):
    """What is used of a redis.asyncio client of any kind."""

    def register_script(self, script: str) -> Callable[..., Awaitable[Any]]: ...

    async def aclose(self) -> None: ...


class _Watched:
    """A master found by sentinels; closing it lets go of the sentinels as well. All else is the
    master's."""

    def __init__(self, sentinel: Any, master: Any) -> None:
        self._sentinel = sentinel
        self._master = master

    def register_script(self, script: str) -> Callable[..., Awaitable[Any]]:
        return cast(Callable[..., Awaitable[Any]], self._master.register_script(script))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._master, name)

    async def aclose(self) -> None:
        await self._master.aclose()
        for client in self._sentinel.sentinels:
            await client.aclose()


class RedisStore(CommonStore):
    """Buckets in Redis. See CommonStore; `client` is closed with the store."""

    def __init__(
        self,
        clock: Clock,
        client: Client,
        pod: str,
        rng: random.Random,
        *,
        settings: Settings = STANDARD,
        classes: Mapping[Priority, Class] = CLASSES,
        on_mode: Callable[[str, Mode], None] = nobody,
    ) -> None:
        self._client = client
        run = client.register_script(script.text())

        async def call(keys: Sequence[str], document: bytes) -> Sequence[object]:
            try:
                return cast(Sequence[object], await run(keys=keys, args=[document]))
            except (RedisError, OSError, TimeoutError) as error:
                raise StoreAway(type(error).__name__) from error

        super().__init__(clock, call, pod, rng, settings=settings, classes=classes, on_mode=on_mode)

    async def aclose(self) -> None:
        await super().aclose()
        await self._client.aclose()


def connect(
    url: str,
    clock: Clock,
    pod: str,
    rng: random.Random,
    *,
    settings: Settings = STANDARD,
    classes: Mapping[Priority, Class] = CLASSES,
    on_mode: Callable[[str, Mode], None] = nobody,
    access: Mapping[str, Any] = NO_ACCESS,
) -> RedisStore:
    """The store at `url`; connects when it is first needed.

    redis://, rediss:// and unix:// as redis-py reads them; redis+sentinel://host:port,host:port/
    service/db; redis+cluster://host:port,host:port; rediss+... for TLS. User and password of the
    servers stand before the @, percent-encoded, or in `access`, which has redis-py's names
    (username, password, ssl_ca_certs). Raises ValueError for any other address.
    """
    stores: list[RedisStore] = []

    async def connected(connection: Any) -> None:
        await connection.on_connect()
        for store in stores:
            store.reconnected()

    client = client_of(url, connected, access)
    stores.append(
        RedisStore(clock, client, pod, rng, settings=settings, classes=classes, on_mode=on_mode)
    )
    return stores[0]


def client_of(
    url: str,
    connected: Callable[[Any], Awaitable[None]],
    access: Mapping[str, Any] = NO_ACCESS,
) -> Client:
    """A redis.asyncio client without retries of its own; `connected` completes each connection."""
    parts = urlsplit(url)
    maker = MAKERS.get(parts.scheme)
    if maker is None:
        known = ", ".join(f"{scheme}://" for scheme in MAKERS)
        raise ValueError(f"store: {parts.scheme}:// is not known; expected one of {known}")
    options = {
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        **access,
    }
    return maker(url, parts, connected, options)


def _single(
    url: str,
    parts: SplitResult,
    connected: Callable[[Any], Awaitable[None]],
    options: dict[str, Any],
) -> Client:
    return cast(Client, Redis.from_url(url, redis_connect_func=connected, **options))


def _sentinel(
    url: str,
    parts: SplitResult,
    connected: Callable[[Any], Awaitable[None]],
    options: dict[str, Any],
) -> Client:
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("store: name the service, as in redis+sentinel://host:26379/mymaster")
    addresses = _addresses(parts, SENTINEL_PORT)
    options = {**options, "ssl": True} if parts.scheme.startswith("rediss") else options
    # The login is the servers'; sentinels are asked without one.
    plain = {name: value for name, value in options.items() if name not in LOGIN}
    sentinel = Sentinel(addresses, sentinel_kwargs=plain)  # type: ignore[no-untyped-call]
    own = {**options, **_login(parts), "db": int(db or 0), "redis_connect_func": connected}
    return _Watched(sentinel, sentinel.master_for(service, **own))


def _cluster(
    url: str,
    parts: SplitResult,
    connected: Callable[[Any], Awaitable[None]],
    options: dict[str, Any],
) -> Client:
    # The cluster client completes its connections itself. A lost node shows as a failed call, and
    # then everything is told again anyway.
    nodes = [ClusterNode(host, port) for host, port in _addresses(parts, REDIS_PORT)]
    tls = parts.scheme.startswith("rediss")
    own = {**options, **_login(parts), "ssl": tls}
    return cast(Client, RedisCluster(startup_nodes=nodes, **own))


MAKERS = {
    "redis": _single,
    "rediss": _single,
    "unix": _single,
    "redis+sentinel": _sentinel,
    "rediss+sentinel": _sentinel,
    "redis+cluster": _cluster,
    "rediss+cluster": _cluster,
}


def _addresses(parts: SplitResult, port: int) -> list[tuple[str, int]]:
    """host:port,host:port behind the login."""
    hosts = parts.netloc.rpartition("@")[2].split(",")
    found = []
    for host in hosts:
        name, _, number = host.rpartition(":") if ":" in host else (host, "", "")
        found.append((name, int(number or port)))
    return found


def _login(parts: SplitResult) -> dict[str, Any]:
    login = parts.netloc.rpartition("@")[0]
    user, _, password = login.partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}
