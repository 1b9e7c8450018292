"""Addresses: which are allowed, and a Unix socket that one daemon owns.

gRPC makes sockets with the process's umask and silently steals a path that another server listens
on; so the mode is set through the umask at bind, and a lock file keeps a second daemon away.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sidecar.server.problem import CannotListen

UNIX = "unix:"


def unix_path(address: str) -> Path | None:
    """The path of `unix:///path` or `unix:path`, None for a TCP address."""
    if not address.startswith(UNIX):
        return None
    rest = address.removeprefix(UNIX)
    return Path(rest.removeprefix("//") if rest.startswith("///") else rest)


def is_loopback(address: str) -> bool:
    """Does a TCP `host:port` stay on this machine?"""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class SocketLock:
    """Owns a socket path for as long as the process lives; the kernel frees it at any death."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(path.name + ".lock")
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock and remove a stale socket. Raises CannotListen."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotListen(
                f"cannot make {self._lock}: {error.strerror}; give the daemon a directory that it "
                "may write"
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise CannotListen(
                f"another daemon (pid {owner}) listens on {self._path}; stop it or choose another "
                "path in `listen`"
            ) from None
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        self._fd = fd
        self._path.unlink(missing_ok=True)

    def release(self) -> None:
        """Remove the socket and let go; the lock file stays, so that no two daemons race on it."""
        if self._fd is None:
            return
        self._path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = None


@contextmanager
def mode_at_bind(mode: int) -> Iterator[None]:
    """What is bound inside gets exactly `mode` (permission bits)."""
    before = os.umask(0o777 & ~mode)
    try:
        yield
    finally:
        os.umask(before)
