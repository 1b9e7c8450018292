"""Which file descriptors of this process are gRPC's sockets: the library does not tell. Linux.

A connection that was accepted has the local address of its listener, and nothing else has. Sockets
are only ever looked at here: whoever is mistaken for gRPC's costs a wake-up and is not harmed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

_OWN: Final = Path("/proc/self")
_ANY: Final = frozenset({"0.0.0.0", "::"})

# A port, or the path of a Unix socket (bytes: an abstract one).
Name = int | str | bytes


class Found(msgspec.Struct, frozen=True):
    """One socket: its descriptor, its local address, whether it listens."""

    fd: int
    address: Any
    listens: bool

    @property
    def name(self) -> Name:
        name: Name = self.address[1] if isinstance(self.address, tuple) else self.address
        return name

    def accepted(self, connection: Found) -> bool:
        """Whether a connection can have come from this listener."""
        if isinstance(self.address, tuple) and self.address[0] in _ANY:
            return self.name == connection.name
        return bool(self.address == connection.address)


class Descriptors:
    """Finds sockets that were not there the last time. A descriptor's number is used again and
    again, so what was seen is kept with its inode."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def fresh(self) -> list[Found]:
        """Every socket since the last call."""
        before, self._seen = self._seen, dict(_sockets())
        fresh = [fd for fd, inode in self._seen.items() if before.get(fd) != inode]
        return [found for fd in fresh if (found := _look(fd)) is not None]


def polled(fd: int) -> bool:
    """Whether some epoll of this process waits for the descriptor."""
    return any(fd in _targets(entry) for entry in os.listdir(_OWN / "fdinfo"))


def _sockets() -> Iterator[tuple[int, int]]:
    for entry in os.listdir(_OWN / "fd"):
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
            status = os.fstat(int(entry))
            if stat.S_ISSOCK(status.st_mode):
                yield int(entry), status.st_ino


def _look(fd: int) -> Found | None:
    try:
        sock = socket.socket(fileno=fd)
    except OSError:
        return None
    try:
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return Found(fd, sock.getsockname(), bool(listens))
    except OSError:
        return None
    finally:
        sock.detach()  # it is not ours to close


def _targets(entry: str) -> set[int]:
    """What an epoll descriptor waits for; of any other descriptor, nothing."""
    try:
        lines = (_OWN / "fdinfo" / entry).read_text().splitlines()
    except OSError:
        return set()
    return {int(line.split()[1]) for line in lines if line.startswith("tfd:")}
