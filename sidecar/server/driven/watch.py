"""gRPC's sockets, watched without taking anything from them. Linux."""

from __future__ import annotations

import contextlib
import select
from typing import Final

from sidecar.server.driven.descriptors import Descriptors, Found, Name, polled
from sidecar.server.problem import Impossible

_INWARD: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_OUTWARD: Final = select.EPOLLOUT | select.EPOLLET


class Watch:
    """Three epolls over the same sockets: `inward` and `outward` can be read when something has
    come or room was made since they were last asked; the third answers what is still unread.

    A socket that gRPC closes leaves them by itself, as nothing of ours keeps it open, and a
    descriptor that is used again is a new socket, judged by its own address.
    """

    def __init__(self) -> None:
        self.inward = select.epoll()
        self.outward = select.epoll()
        self._unread = select.epoll()
        self._descriptors = Descriptors()
        self._names: set[Name] = set()
        self._listeners: dict[int, Found] = {}
        self.connections = 0  # found so far

    def expect(self, name: Name) -> None:
        """A server has bound this name."""
        self._names.add(name)

    def begin(self) -> None:
        """Watch the listeners of all names. Raises Impossible if one cannot be found, or if gRPC
        has given it to somebody else to wait for."""
        before = set(self._listeners)
        self.look()
        if self._names - {listener.name for listener in self._listeners.values()}:
            raise Impossible("a listener of gRPC's cannot be found")
        if any(polled(fd) for fd in self._listeners.keys() - before):
            raise Impossible("gRPC waits for its listeners itself")
        for fd in self._listeners.keys() - before:
            self._register(fd)

    def look(self) -> bool:
        """Find connections that were accepted since, and watch them. Whether there were any."""
        before = self.connections
        for one in self._descriptors.fresh():
            self._listeners.pop(one.fd, None)  # whoever had this number is gone
            if one.listens and one.name in self._names:
                self._listeners[one.fd] = one
            elif any(listener.accepted(one) for listener in self._listeners.values()):
                self.connections += 1
                self._register(one.fd)
        return self.connections > before

    def callers(self) -> bool:
        """Whether a listener is among what has come since the last time."""
        return not self._listeners.keys().isdisjoint(fd for fd, _ in self.inward.poll(0))

    def unread(self) -> bool:
        """Whether some socket holds what nobody has read."""
        return bool(self._unread.poll(0, 1))

    def close(self) -> None:
        for epoll in self._all():
            epoll.close()

    def _all(self) -> tuple[select.epoll, ...]:
        return self.inward, self.outward, self._unread

    def _register(self, fd: int) -> None:
        for epoll, events in zip(self._all(), (_INWARD, _OUTWARD, select.EPOLLIN), strict=True):
            with contextlib.suppress(OSError):
                epoll.register(fd, events)
