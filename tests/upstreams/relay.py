"""A wire between the daemon and an upstream that breaks where it is told to."""

from __future__ import annotations

import asyncio
import urllib.parse


class Relay:
    """Carries TCP to and from `upstream` while entered. `cut_after` breaks the next connections,
    one each, as soon as so many bytes of the answer have passed."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        behind = urllib.parse.urlsplit(upstream)
        self._behind = (behind.hostname or "", behind.port or 80)
        self._path = behind.path
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_after: list[int] = []
        self.cuts = 0

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{port}{self._path}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._behind)
        for pump in (self._up(reader, back), self._down(there, writer)):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _up(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()

    async def _down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        passed = 0
        try:
            while data := await source.read(256):
                sink.write(data)
                await sink.drain()
                passed += len(data)
                if self.cut_after and passed >= self.cut_after[0]:
                    self.cut_after.pop(0)
                    self.cuts += 1
                    sink.transport.abort()
                    return
        except ConnectionError:
            pass
        finally:
            sink.close()
