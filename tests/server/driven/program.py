"""A server of raw bytes, as a process: `python -m tests.server.driven.program ENGINE SOCKET`.

On SIGUSR1 it prints how it is, without a call; on SIGTERM it stops with a grace of GRACE_S.
"""

from __future__ import annotations

import os

from sidecar.cli.serve import GRPC

os.environ.update(GRPC)

import asyncio
import contextlib
import json
import resource
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import uvloop

from sidecar.server.driven.choice import Drive, LoopDrives, choose

SERVICE = "test.Raw"
GRACE_S = 2.0
# Of one message of the flood, bytes.
PIECE = 64 * 1024


class Raw:
    """The methods, and what has happened to them."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self.ended: list[str] = []
        self.pieces = 0

    async def echo(self, message: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("seen", dict(context.invocation_metadata()).get("x", "")),))
        return message

    async def count(self, message: bytes, context: Any) -> bytes | None:
        """So many messages as the request says; the last one is returned where that can be."""
        await context.send_initial_metadata((("early", "yes"),))
        *numbers, last = [b"%d" % number for number in range(int(message))]
        for number in numbers:
            await context.write(number)
        if self._drive.takes_last:
            return last
        await context.write(last)
        return None

    async def hold(self, message: bytes, context: Any) -> None:
        """One message, and then silence until the call ends."""
        await context.write(b"held")
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append(message.decode())

    async def linger(self, _: bytes, context: Any) -> None:
        """One message now, one when the server stops."""
        await context.write(b"now")
        await STOPPING.wait()
        await context.write(b"later")

    async def flood(self, message: bytes, context: Any) -> None:
        """Writes until the client is gone."""
        try:
            while True:
                await context.write(bytes(PIECE))
                self.pieces += 1
        finally:
            self.ended.append(message.decode())

    async def twice(self, messages: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for message in messages:
            yield message + message

    async def abort(self, _: bytes, context: Any) -> None:
        await context.abort(grpc.StatusCode.NOT_FOUND, "nobody", (("why", "because"),))

    async def boom(self, _: bytes, context: Any) -> None:
        await context.write(b"so far")
        raise ValueError("a defect")

    async def state(self, _: bytes, context: Any) -> bytes:
        return json.dumps(self.told()).encode()

    def told(self) -> dict[str, Any]:
        queue = self._drive.queue if isinstance(self._drive, LoopDrives) else None
        return {
            "engine": type(self._drive).__name__,
            "ended": self.ended,
            "pieces": self.pieces,
            "descriptors": len(os.listdir("/proc/self/fd")),
            "tasks": len(asyncio.all_tasks()),
            "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "ticking": queue is not None and queue.ticking,
        }

    def handlers(self) -> grpc.GenericRpcHandler:
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        methods: dict[str, Any] = {"echo": unary(self.echo), "state": unary(self.state)}
        streams = (self.count, self.hold, self.linger, self.flood, self.abort, self.boom)
        methods |= {method.__name__: stream(method) for method in streams}
        methods["twice"] = grpc.stream_stream_rpc_method_handler(self.twice)
        return grpc.method_handlers_generic_handler(SERVICE, methods)


STOPPING = asyncio.Event()


async def main(engine: str, path: str) -> None:
    drive = await choose(engine)
    raw = Raw(drive)
    server = drive.server((("grpc.max_receive_message_length", 4 * 1024 * 1024),))
    server.add_generic_rpc_handlers((raw.handlers(),))
    server.add_insecure_port(f"unix:{path}")
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, STOPPING.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: print(json.dumps(raw.told()), flush=True))
    print(port, flush=True)
    await STOPPING.wait()
    await server.stop(GRACE_S)
    drive.close()
    print(json.dumps(raw.told()), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(sys.argv[1], sys.argv[2]))
