"""A provider that is nothing but a socket: tests script it byte by byte."""

from __future__ import annotations

import asyncio
import socket
import struct
from types import TracebackType
from typing import Self

LINGER_ZERO = struct.pack("ii", 1, 0)  # close() then resets the connection

TCP_REPAIR = 19  # Linux: in repair mode close() tells the other side nothing


class Peer:
    """The provider's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._received = bytearray()

    async def request(self) -> bytes:
        """The next request, head and body."""
        while b"\r\n\r\n" not in self._received:
            await self._receive()
        head_bytes = self._received.index(b"\r\n\r\n") + 4
        whole_bytes = head_bytes + _content_length(bytes(self._received[:head_bytes]))
        while len(self._received) < whole_bytes:
            await self._receive()
        request = bytes(self._received[:whole_bytes])
        del self._received[:whole_bytes]
        return request

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def wait_gone(self) -> None:
        """Until the other side has closed or reset the connection."""
        try:
            while await asyncio.get_running_loop().sock_recv(self.sock, 65536):
                pass
        except ConnectionError:
            return

    def close(self) -> None:
        """FIN (RST if there was something unread), now."""
        self.sock.close()

    def reset(self) -> None:
        """RST, now."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.sock.close()

    async def _receive(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
        if not data:
            raise ConnectionError("the client closed the connection inside a request")
        self._received += data


class Server:
    """Listens on a free loopback port; connections wait in the backlog until they are asked for."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._peers: list[Peer] = []
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1/chat"

    async def peer(self) -> Peer:
        """The next connection."""
        sock, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(sock)
        self._peers.append(peer)
        return peer

    def has_another(self) -> bool:
        """Whether a connection waits that was not asked for."""
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        for peer in self._peers:
            peer.close()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
