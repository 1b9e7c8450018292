"""Re-attaching: the same request_id joins the stream that runs, or replays the one that ended.

A request with an id is run by a task of its own that writes into a journal; every caller with that
id reads the journal. So a stream outlives its caller's connection, and one request is billed once.
A finished journal goes to the cache, from where this pod (or, with Redis, any other) replays it.

With Redis a running one is written there too, a little behind (`scribe`). Another pod that is asked
for it reads along; once the owner's lease has run out it takes the stream over and goes on from
what was written. Two pods run one stream only where one of them was cut off from Redis for longer
than a lease: it then serves its own callers to the end, and both ledgers say what they paid.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import msgspec

from sidecar.cache.store import Cache
from sidecar.core.clock import Clock
from sidecar.core.events import Answer, AttemptBegan, Completed, Event, Reasoning, Refusal, ToolCall
from sidecar.core.failure import Reason, RequestFailed
from sidecar.core.tasks import ended
from sidecar.gateway import endings, tape
from sidecar.gateway.pulse import Pulse
from sidecar.gateway.scribe import Scribe, at_the_seam, taken_over
from sidecar.gateway.shelf import READING_S, Shelf

# Readers look again at least this often, seconds; a pulse wakes them at once.
LOOK_AGAIN_S = 60.0
# How far a stream may run ahead of its furthest reader, bytes; then the provider waits. Of tokens
# that came one by one it is about 2,400.
MOST_AHEAD = 256 * 1024
# A reader of another pod's stream looks for more so often, seconds.
FOLLOW_EVERY_S = 0.2
# What is kept of a stream beside its events, bytes; and of an event beside its text: a token of
# four letters takes 110.
EACH_BYTES = 4096
EVENT_BYTES = 56

# Runs the request and gives its events; goes on from those that another pod has given already.
Begin = Callable[[Sequence[Event]], AsyncGenerator[Event, None]]


class JournalPolicy(msgspec.Struct, frozen=True):
    """`keep_s`: how long a finished stream can be replayed. `linger_s`: how long one runs on with
    nobody reading. `most`: streams with an id that run at once. `most_bytes`: kept of them in this
    process, the finished ones included if the cache is here too; beyond it no new one is begun."""

    keep_s: float = 300.0
    linger_s: float = 30.0
    most: int = 2048
    most_bytes: int = 256 * 1024 * 1024


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
        self.scribe: Scribe | None = None
        self._news = Pulse()
        self._read = Pulse()
        self._written = 0
        self._furthest = 0

    @property
    def kept_bytes(self) -> int:
        return EACH_BYTES + self._written

    @property
    def alone(self) -> bool:
        return not self.readers

    def visited(self) -> None:
        self.visits += 1

    async def write(self, event: Event) -> None:
        """Append; waits while the furthest reader is too far behind (there may be none)."""
        self.events.append(event)
        self._written += _size(event)
        self._news.fire()
        if self.scribe is not None:
            await self.scribe.wait_room(self)
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
        self._shelf = Shelf(cache, policy.keep_s)
        self._journals: dict[str, Journal] = {}
        self._ended: deque[tuple[float, int]] = deque()
        self._closing = False
        self.shed = 0

    def __len__(self) -> int:
        return len(self._journals)

    @property
    def kept_bytes(self) -> int:
        """Bytes of text kept in this process, about: of streams that run or can be replayed."""
        now = self._clock.now()
        while self._ended and self._ended[0][0] <= now:
            self._ended.popleft()
        ended = sum(size for _, size in self._ended)
        return ended + sum(journal.kept_bytes for journal in self._journals.values())

    async def attach(
        self, request_id: str, digest: bytes, after: int, begin: Begin
    ) -> AsyncGenerator[Event, None]:
        """The events of `request_id` from number `after` + 1 on; begun here if nobody has.

        `digest` tells equal requests from different ones. Raises RequestFailed: the id was used for
        another request, or `after` is beyond what there is.
        """
        while (journal := await self._find(request_id, digest, after, begin)) is None:
            async with aclosing(self._follow(request_id, digest, after)) as along:
                async for event in along:
                    after += 1
                    yield event
        if after > len(journal.events):
            raise endings.gone(request_id)
        if journal.digest != digest:
            raise endings.other(request_id)
        async with aclosing(journal.read(after)) as events:
            async for event in events:
                yield event

    async def _find(
        self, request_id: str, digest: bytes, after: int, begin: Begin
    ) -> Journal | None:
        """The journal to read: running here, or finished anywhere, or begun now. None: it is
        another pod's."""
        journal = self._journals.get(request_id) or await self._replay(request_id)
        if journal is not None:
            return journal
        kept: list[Event] | None = None
        if self._shelf.shared and request_id not in self._journals:
            claimed = await self._shelf.claim(request_id)
            if claimed is False:
                return self._journals.get(request_id)
            if claimed:
                # It may have ended between the first look and the claim.
                journal, kept = await self._inherit(request_id, digest)
        if journal is None:
            # Whoever else waited for the cache with this id may have begun it meanwhile.
            journal = self._journals.get(request_id)
        if journal is None and (after == 0 or kept is not None):
            return self._start(request_id, digest, begin, kept)
        if request_id not in self._journals:
            await self._shelf.release(request_id)
        if journal is None:
            raise endings.gone(request_id)
        return journal

    async def _inherit(
        self, request_id: str, digest: bytes
    ) -> tuple[Journal | None, list[Event] | None]:
        """What a pod that is no more has left of the stream: the whole of it, or a part, which may
        be nothing yet; neither if there was no such stream."""
        journal = await self._replay(request_id)
        head = await self._shelf.head(request_id) if journal is None else None
        if head is None:
            return journal, None
        kept = await self._shelf.text(request_id, head.mark)
        if head.digest != digest or (kept and isinstance(kept[-1], Completed)):
            journal = Journal(head.digest)
            journal.events = kept
            journal.close(None)
            return journal, None
        return None, kept

    async def _follow(
        self, request_id: str, digest: bytes, after: int
    ) -> AsyncGenerator[Event, None]:
        """Another pod's stream from number `after` + 1 on, as that pod writes it down; returns when
        it is not that pod's any more."""
        head = await self._shelf.head(request_id)
        owner = await self._shelf.owner(request_id)
        if head is not None and head.digest != digest:
            raise endings.other(request_id)
        position = number = 0
        told_at = -READING_S
        while head is not None and head.mark == owner:
            while (chunk := await self._shelf.chunk(request_id, owner, number)) is not None:
                number += 1
                for event in chunk:
                    position += 1
                    if position > after:
                        yield event
            if self._clock.now() - told_at > READING_S / 3:
                told_at = self._clock.now()
                await self._shelf.read_here(request_id)
            await asyncio.sleep(FOLLOW_EVERY_S)
            owner = await self._shelf.owner(request_id)
        if head is None or position == 0:
            await asyncio.sleep(FOLLOW_EVERY_S)  # it is only just beginning, or changing hands

    async def aclose(self) -> None:
        """Cancel what still runs, and wait for it to be settled."""
        self._closing = True
        journals = list(self._journals.values())
        await ended([journal.task for journal in journals])
        for journal in journals:
            if not journal.over:  # its task was cancelled before its first step
                journal.close(endings.draining())
        self._journals.clear()

    async def _replay(self, request_id: str) -> Journal | None:
        """A finished journal out of the cache."""
        played = await self._shelf.whole(request_id)
        if played is None:
            return None
        digest, events, error = played
        journal = Journal(digest)
        journal.events = events
        journal.close(error)
        return journal

    def _start(
        self, request_id: str, digest: bytes, begin: Begin, kept: list[Event] | None
    ) -> Journal:
        if len(self._journals) >= self._policy.most or self.kept_bytes >= self._policy.most_bytes:
            self.shed += 1
            raise RequestFailed(
                Reason.QUEUE_FULL,
                "too many re-attachable streams are open; retry later or send no request_id",
                retry_after_s=1.0,
            )
        journal = self._journals[request_id] = Journal(digest)
        if kept is not None:
            journal.events = taken_over(kept)
        if self._shelf.shared:
            journal.scribe = Scribe(self._shelf, request_id, digest, self._clock.now)
        loop = asyncio.get_running_loop()
        journal.task = loop.create_task(self._run(request_id, journal, begin, kept))
        return journal

    async def _run(
        self, request_id: str, journal: Journal, begin: Begin, kept: list[Event] | None
    ) -> None:
        loop = asyncio.get_running_loop()
        beside = [loop.create_task(self._watch(journal))]
        if journal.scribe is not None:
            beside.append(loop.create_task(journal.scribe.run(journal)))
        try:
            async with aclosing(_joined(begin(tuple(journal.events)), kept)) as events:
                async for event in events:
                    await journal.write(event)
        except RequestFailed as error:
            journal.close(error)
        except asyncio.CancelledError:
            journal.close(endings.draining() if self._closing else endings.abandoned(request_id))
        except BaseException:
            # A fault of ours: whoever reads must not wait for ever for what will not come.
            journal.close(endings.broken(request_id))
            self._journals.pop(request_id, None)
            raise
        else:
            journal.close(None)
        finally:
            for task in beside:
                task.cancel()
            journal.task = None
        if journal.error is not None and journal.error.retry_after_s is not None:
            self._journals.pop(request_id, None)  # at once: a new try is to be a new stream
        if journal.scribe is not None:
            await ended(beside)
        await self._keep(request_id, journal)

    async def _keep(self, request_id: str, journal: Journal) -> None:
        """Hand a finished journal to the cache. Readers still at it keep their own hold.

        One that ended with "try again later" is not kept: whoever does so means a new try. One that
        this pod's end has cut another pod may go on with.
        """
        error, scribe = journal.error, journal.scribe
        data = None
        if error is None or error.retry_after_s is None:
            data = tape.encode(journal.digest, journal.events, error)
        if scribe is None and data is not None:
            self._ended.append((self._clock.now() + self._policy.keep_s, len(data)))
            await self._shelf.keep(request_id, data)
        elif scribe is not None and error is not None and error.reason is Reason.DRAINING:
            await scribe.hand_over(journal)
        elif scribe is not None:
            await scribe.over(data)
        if self._journals.get(request_id) is journal:
            del self._journals[request_id]

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


async def _joined(
    events: AsyncGenerator[Event, None], kept: list[Event] | None
) -> AsyncGenerator[Event, None]:
    """`events` behind the `kept` ones of another pod, if there was one."""
    first = kept is not None
    async with aclosing(events):
        async for event in events:
            if first and isinstance(event, AttemptBegan):
                first = False
                event = at_the_seam(event, len(kept or ()))
            yield event


def _size(event: Event) -> int:
    """What keeping it takes, bytes: for single tokens that is many times their text."""
    text = ""
    if isinstance(event, ToolCall):
        text = event.arguments
    elif isinstance(event, Answer | Reasoning | Refusal):
        text = event.text
    return EVENT_BYTES + sys.getsizeof(text)
