"""The board in Redis: a hash, a script that is the only one to change it, and its broadcasts.

Broadcasts and not polling: a revoked key has to be unused in the whole fleet 100 ms after the first
401, and to look that often would cost each pod ten calls a second for something that happens once a
month. Awaits and decides nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from redis.exceptions import RedisError

from sidecar.limits import board
from sidecar.limits.pool import StoreAway

SILENCE_S = 5.0
"""A line without a word for so long is asked whether it lives; after twice as long it does not."""


class Client(Protocol):
    """What is used of a redis.asyncio client."""

    def register_script(self, script: str) -> Callable[..., Awaitable[Any]]: ...

    def pubsub(self) -> Any: ...

    async def initialize(self) -> Any: ...

    async def aclose(self) -> None: ...


class RedisWire:
    """The board under `prefix`. `client` is closed with it."""

    def __init__(self, client: Client, prefix: str = "headway") -> None:
        self._client = client
        self._run = client.register_script(board.text())
        self._keys = [f"{prefix}:{{fleet}}:board", f"{prefix}:{{fleet}}:pods"]
        self._channel = f"{prefix}:fleet:news"

    async def call(self, document: bytes) -> list[Any]:
        try:
            answer = await self._run(keys=self._keys, args=[document, self._channel])
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreAway(type(error).__name__) from error
        return cast(list[Any], answer)

    async def listen(self, ready: Callable[[], None], heard: Callable[[bytes], None]) -> None:
        news = self._client.pubsub()
        try:
            # A client of a Cluster does not know where to subscribe before it has looked round.
            await self._client.initialize()
            await news.subscribe(self._channel)
            await self._read(news, ready, heard)
        except (RedisError, OSError, TimeoutError, RuntimeError, LookupError) as error:
            raise StoreAway(type(error).__name__) from error
        finally:
            await news.aclose()

    async def _read(
        self, news: Any, ready: Callable[[], None], heard: Callable[[bytes], None]
    ) -> None:
        asked = False
        while True:
            message = await news.get_message(timeout=SILENCE_S)
            if message is None:
                if asked:
                    raise StoreAway("silence")
                await news.ping()
            asked = message is None
            if message is not None and message["type"] == "subscribe":
                ready()
            elif message is not None and message["type"] == "message":
                heard(message["data"])

    async def aclose(self) -> None:
        await self._client.aclose()
