"""What can be wrong with the address of the common store. No message repeats it: it may hold a
password."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from sidecar.config.load import Problem
from sidecar.config.schema import StoreConfig

# As `sidecar.limits.redis` connects to them; the second of each pair is TLS.
SINGLE = ("redis", "rediss")
SENTINEL = ("redis+sentinel", "rediss+sentinel")
CLUSTER = ("redis+cluster", "rediss+cluster")
SOCKET = "unix"
SCHEMES = (*SINGLE, SOCKET, *SENTINEL, *CLUSTER)
EXPECTED = (
    "expected memory, redis://host:port/db, unix:///socket?db=0, redis+cluster://host:port,... or "
    "redis+sentinel://host:port,.../service/db; rediss for TLS"
)
IN_THE_FILE = "stands in the file; better name it with store.password_file or store.password_env"


def problems(store: StoreConfig) -> Iterator[Problem]:
    """Everything that is wrong with it, each with its path."""
    if store.shared:
        yield from _address(store)
    if store.password_file and store.password_env:
        yield Problem("store", "expected one of password_file and password_env, not both")
    if store.ca_file and not _scheme(store).startswith("rediss"):
        yield Problem("store.ca_file", "belongs to a rediss address")
    given = (store.user, store.password_file, store.password_env)
    if not store.shared and any(given):
        yield Problem("store", "memory has no user and no password")


def own_password(store: StoreConfig) -> str:
    """The password that the address itself holds, "" if it holds none."""
    try:
        parts = urlsplit(store.url)
    except ValueError:
        return ""
    login = unquote(parts.netloc.rpartition("@")[0].partition(":")[2])
    return login or parse_qs(parts.query).get("password", [""])[0]


def _scheme(store: StoreConfig) -> str:
    return store.url.partition("://")[0]


def _address(store: StoreConfig) -> Iterator[Problem]:
    try:
        parts = urlsplit(store.url)
    except ValueError:
        yield Problem("store.url", EXPECTED)
        return
    if parts.scheme not in SCHEMES or "://" not in store.url:
        yield Problem("store.url", EXPECTED)
    elif parts.scheme == SOCKET:
        if not parts.path.strip("/"):
            yield Problem("store.url", "names no socket; expected unix:///path?db=0")
    else:
        yield from _servers(parts)


def _servers(parts: SplitResult) -> Iterator[Problem]:
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if not all(_is_server(host) for host in hosts):
        yield Problem("store.url", "expected host or host:port, several of them with commas")
    elif len(hosts) > 1 and parts.scheme in SINGLE:
        yield Problem("store.url", "names several servers; say redis+cluster or redis+sentinel")
    names = parts.path.strip("/").split("/") if parts.path.strip("/") else []
    if parts.scheme in SENTINEL:
        if not names:
            yield Problem("store.url", "names no service; expected .../mymaster or .../mymaster/0")
        names = names[1:]
    elif parts.scheme in CLUSTER and names:
        yield Problem("store.url", "a cluster has no databases; leave the path out")
        return
    if len(names) > 1 or not all(name.isdecimal() for name in names):
        yield Problem("store.url", "expected the number of a database at the end, or nothing")


def _is_server(text: str) -> bool:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        return bool(text)
    return bool(host) and port.isdecimal() and 1 <= int(port) <= 65_535
