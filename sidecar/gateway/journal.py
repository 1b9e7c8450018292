"""Re-attaching: the same request_id joins the stream that runs, or replays the one that ended.

A request with an id is run by a task of its own that writes into a journal; every caller with that
id reads the journal. So a stream outlives its caller's connection, and one request is billed once.
A finished journal goes to the cache, from where this pod (or, with Redis, any other) replays it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec

from sidecar.cache.store import Cache
from sidecar.core.clock import Clock
from sidecar.core.events import Answer, Event, Reasoning
from sidecar.core.failure import Reason, RequestFailed
from sidecar.gateway import tape
from sidecar.gateway.pulse import Pulse

# Readers look again at least this often, seconds; a pulse wakes them at once.
LOOK_AGAIN_S = 60.0
# How far a stream may run ahead of its slowest reader, in characters; then the provider waits.
MOST_AHEAD = 256 * 1024


class JournalPolicy(msgspec.Struct, frozen=True):
    """`keep_s`: how long a finished stream can be replayed. `linger_s`: how long one runs on with
    nobody reading. `most`: streams with an id that run at once."""

    keep_s: float = 300.0
    linger_s: float = 30.0
    most: int = 2048


class Journal:
    """All events of one request so far."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        self.events: list[Event] = []
        self.error: RequestFailed | None = None
        self.over = False
        self.readers = 0
        self.visits = 0
        self.task: asyncio.Task[None] | None = None
        self._news = Pulse()
        self._read = Pulse()
        self._written = 0
        self._furthest = 0

    async def write(self, event: Event) -> None:
        """Append; waits while the furthest reader is too far behind (there may be none)."""
        self.events.append(event)
        self._written += _size(event)
        self._news.fire()
        while self.readers and self._written - self._furthest > MOST_AHEAD:
            await self._read.wait(LOOK_AGAIN_S)

    def close(self, error: RequestFailed | None) -> None:
        self.error = error
        self.over = True
        self._news.fire()

    async def read(self, after: int) -> AsyncGenerator[Event, None]:
        """Events number `after` + 1 and on, to the end. Raises the stream's own RequestFailed."""
        self.readers += 1
        self.visits += 1
        read = sum(_size(event) for event in self.events[:after])
        position = after
        try:
            while True:
                while position < len(self.events):
                    event = self.events[position]
                    position += 1
                    yield event
                    read += _size(event)
                    if read > self._furthest:
                        self._furthest = read
                        self._read.fire()
                if self.over:
                    break
                await self._news.wait(LOOK_AGAIN_S)
            if self.error is not None:
                raise self.error
        finally:
            self.readers -= 1
            self._read.fire()


class Journals:
    """Running journals by request id; finished ones are the cache's."""

    def __init__(self, clock: Clock, policy: JournalPolicy, cache: Cache) -> None:
        self._clock = clock
        self._policy = policy
        self._cache = cache
        self._journals: dict[str, Journal] = {}
        self._closing = False

    def __len__(self) -> int:
        return len(self._journals)

    async def attach(
        self,
        request_id: str,
        digest: bytes,
        after: int,
        begin: Callable[[], AsyncGenerator[Event, None]],
    ) -> AsyncGenerator[Event, None]:
        """The events of `request_id` from number `after` + 1 on; begun here if nobody has.

        `digest` tells equal requests from different ones. Raises RequestFailed: the id was used for
        another request, or `after` is beyond what there is.
        """
        journal = self._journals.get(request_id) or await self._replay(request_id)
        if journal is None and after == 0:
            # Whoever else waited for the cache with this id may have begun it meanwhile.
            journal = self._journals.get(request_id) or self._start(request_id, digest, begin)
        if journal is None or after > len(journal.events):
            raise _gone(request_id)
        if journal.digest != digest:
            raise _other(request_id)
        async with aclosing(journal.read(after)) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        """Cancel what still runs, and wait for it to be settled."""
        self._closing = True
        journals = list(self._journals.values())
        tasks = [journal.task for journal in journals if journal.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for journal in journals:
            if not journal.over:  # its task was cancelled before its first step
                journal.close(_draining())
        self._journals.clear()

    async def _replay(self, request_id: str) -> Journal | None:
        """A finished journal out of the cache."""
        data = await self._cache.get(_key(request_id))
        if data is None:
            return None
        try:
            digest, events, error = tape.decode(data)
        except (msgspec.MsgspecError, IndexError, ValueError):
            return None
        journal = Journal(digest)
        journal.events = events
        journal.close(error)
        return journal

    def _start(
        self, request_id: str, digest: bytes, begin: Callable[[], AsyncGenerator[Event, None]]
    ) -> Journal:
        if len(self._journals) >= self._policy.most:
            raise RequestFailed(
                Reason.QUEUE_FULL,
                "too many re-attachable streams are open; retry later or send no request_id",
                retry_after_s=1.0,
            )
        journal = self._journals[request_id] = Journal(digest)
        loop = asyncio.get_running_loop()
        journal.task = loop.create_task(self._run(request_id, journal, begin))
        return journal

    async def _run(
        self,
        request_id: str,
        journal: Journal,
        begin: Callable[[], AsyncGenerator[Event, None]],
    ) -> None:
        watch = asyncio.get_running_loop().create_task(self._watch(journal))
        try:
            async with aclosing(begin()) as events:
                async for event in events:
                    await journal.write(event)
        except RequestFailed as error:
            journal.close(error)
        except asyncio.CancelledError:
            journal.close(_draining() if self._closing else _abandoned(request_id))
        except BaseException:
            # A fault of ours: whoever reads must not wait for ever for what will not come.
            journal.close(_broken(request_id))
            self._journals.pop(request_id, None)
            raise
        else:
            journal.close(None)
        finally:
            watch.cancel()
            journal.task = None
        await self._keep(request_id, journal)

    async def _keep(self, request_id: str, journal: Journal) -> None:
        """Hand a finished journal to the cache. Readers still at it keep their own hold.

        One that ended with "try again later" is not kept: whoever does so means a new try.
        """
        if journal.error is None or journal.error.retry_after_s is None:
            data = tape.encode(journal.digest, journal.events, journal.error)
            await self._cache.set(_key(request_id), data, self._policy.keep_s)
        self._journals.pop(request_id, None)

    async def _watch(self, journal: Journal) -> None:
        """Cancel a stream that nobody has read for `linger_s`."""
        alone_since: float | None = None
        visits = 0
        period_s = min(max(self._policy.linger_s / 4, 0.05), 5.0)
        while True:
            await asyncio.sleep(period_s)
            now = self._clock.now()
            if journal.readers:
                alone_since = None
            elif alone_since is None or visits != journal.visits:
                alone_since = now  # somebody may have come and gone between two looks
            visits = journal.visits
            if alone_since is not None and now - alone_since >= self._policy.linger_s:
                if journal.task is not None:
                    journal.task.cancel()
                return


def _key(request_id: str) -> str:
    return f"stream:{request_id}"


def _size(event: Event) -> int:
    return len(event.text) if isinstance(event, Answer | Reasoning) else 0


def _gone(request_id: str) -> RequestFailed:
    return RequestFailed(
        Reason.NOT_REPLAYABLE,
        f"there is no stream {request_id} with so many events here any more; send the request "
        "anew with after_sequence 0",
        metadata={"request_id": request_id},
    )


def _other(request_id: str) -> RequestFailed:
    return RequestFailed(
        Reason.NOT_REPLAYABLE,
        f"request_id {request_id} belongs to a different request; use a new UUID",
        metadata={"request_id": request_id},
    )


def _abandoned(request_id: str) -> RequestFailed:
    return RequestFailed(
        Reason.NOT_REPLAYABLE,
        f"stream {request_id} was given up because nobody read it; send the request anew "
        "with another request_id",
        metadata={"request_id": request_id},
    )


def _draining() -> RequestFailed:
    return RequestFailed(
        Reason.DRAINING,
        "the daemon is shutting down and the stream was cut; send the request to its successor",
        retry_after_s=1.0,
    )


def _broken(request_id: str) -> RequestFailed:
    return RequestFailed(
        Reason.INTERNAL,
        f"stream {request_id} ended by a fault of the daemon; its log says which",
        metadata={"request_id": request_id},
    )
