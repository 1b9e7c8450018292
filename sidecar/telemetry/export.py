"""Getting telemetry out without anybody waiting for it.

Decisions are taken on the event loop; only the blocking sends run in one thread of their own, so a
collector that is dead or hangs holds up that thread and nothing else. What waits for it is bounded
in bytes; what finds no room is counted and lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import msgspec

from sidecar.core.clock import Clock
from sidecar.telemetry.metrics import Published
from sidecar.telemetry.settings import Settings
from sidecar.telemetry.tree import Encoded

_T = TypeVar("_T")
_log = logging.getLogger("headway.telemetry")

SPANS = "spans"
METRICS = "metrics"
QUEUE_FULL = "queue_full"
EXPORT_FAILED = "export_failed"
SHUTDOWN = "shutdown"
INTERNAL_ERROR = "internal_error"


class Transport(Protocol):
    """Blocking sends; each answers "" or what went wrong, and raises nothing expected."""

    def send_spans(self, spans: bytes) -> str:
        """Encoded spans, one after another."""

    def send_metrics(self, metrics: tuple[Published, ...], start_ns: int, now_ns: int) -> str:
        """A snapshot."""

    def close(self) -> None:
        """End running sends; may be called from any thread."""


Connect = Callable[[Settings], Transport]


def connect_otlp(settings: Settings) -> Transport:
    """The real transport. Its imports are heavy, so they happen here, in the exporter's thread."""
    from sidecar.telemetry.otlp import connect

    return connect(settings)


class ExportStatus(msgspec.Struct, frozen=True):
    """How exporting goes. `trouble` is the last failure, "" while all is well."""

    endpoint: str
    spans_sent: int
    spans_dropped: int
    bytes_waiting: int
    trouble: str


class SpanQueue:
    """Encoded spans that wait for a batch; bounded in bytes, newest refused."""

    __slots__ = ("_items", "_limit_bytes", "size_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._items: deque[Encoded] = deque()
        self.size_bytes = 0

    def put(self, item: Encoded) -> bool:
        """Whether there was room."""
        if self.size_bytes + len(item.data) > self._limit_bytes:
            return False
        self._items.append(item)
        self.size_bytes += len(item.data)
        return True

    def take(self, batch_bytes: int) -> Encoded | None:
        """The oldest spans up to `batch_bytes` (one request at least), None if there are none."""
        taken: list[Encoded] = []
        size = 0
        while self._items and (not taken or size + len(self._items[0].data) <= batch_bytes):
            taken.append(self._items.popleft())
            size += len(taken[-1].data)
        if not taken:
            return None
        self.size_bytes -= size
        return Encoded(b"".join(item.data for item in taken), sum(item.spans for item in taken))


class Exporter:
    """Batches, sends, counts. `snapshot` is asked for the metrics, on the loop, each interval.

    `dropped(signal, reason, count)` hears of everything that was lost.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        connect: Connect,
        snapshot: Callable[[], tuple[Published, ...]],
        dropped: Callable[[str, str, int], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._connect = connect
        self._snapshot = snapshot
        self._dropped = dropped
        self._queue = SpanQueue(settings.queue_bytes)
        self._start_ns = clock.wall_ns()
        self._sent = 0
        self._lost = 0
        self._trouble = ""
        self._wake = asyncio.Event()
        self._armed = False
        self._closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._transport: Transport | None = None
        self._metrics_due = 0.0

    def put(self, item: Encoded) -> None:
        """Take a request's spans; never waits."""
        if self._closing or not self._queue.put(item):
            self.lose(item.spans, SHUTDOWN if self._closing else QUEUE_FULL)
            return
        if self._loop is None:
            return
        if self._queue.size_bytes >= self._settings.batch_bytes:
            self._wake.set()
        elif not self._armed:
            self._armed = True
            self._loop.call_later(self._settings.batch_delay_s, self._wake.set)

    def start(self) -> None:
        """Begin exporting; call it on the running loop, once the daemon is ready."""
        if self._task is None and not self._closing:
            self._loop = asyncio.get_running_loop()
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="telemetry")
            self._metrics_due = self._clock.now() + self._settings.metrics_interval_s
            self._task = self._loop.create_task(self._run(), name="telemetry")

    def status(self) -> ExportStatus:
        return ExportStatus(
            endpoint=self._settings.endpoint,
            spans_sent=self._sent,
            spans_dropped=self._lost,
            bytes_waiting=self._queue.size_bytes,
            trouble=self._trouble,
        )

    async def aclose(self, timeout_s: float) -> None:
        """Send what is left, for at most `timeout_s`; what does not get out is counted as lost."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=timeout_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        self._lose_rest(SHUTDOWN)

    async def _run(self) -> None:
        try:
            self._transport = await self._in_thread(self._connect, self._settings)
        except Exception as error:
            self._report(f"{type(error).__name__}: {error}")
            return
        self._wake_for_metrics()
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            self._armed = False
            await self._send_spans(self._transport)
            if self._clock.now() >= self._metrics_due:
                await self._send_metrics(self._transport)
                self._wake_for_metrics()
        await self._send_spans(self._transport)
        await self._send_metrics(self._transport)

    def _wake_for_metrics(self) -> None:
        assert self._loop is not None
        self._metrics_due = self._clock.now() + self._settings.metrics_interval_s
        self._loop.call_later(self._settings.metrics_interval_s, self._wake.set)

    async def _send_spans(self, transport: Transport) -> None:
        while (batch := self._queue.take(self._settings.batch_bytes)) is not None:
            try:
                trouble = await self._in_thread(transport.send_spans, batch.data)
            except asyncio.CancelledError:
                self.lose(batch.spans, SHUTDOWN)
                raise
            self._report(trouble)
            if trouble:
                self.lose(batch.spans, EXPORT_FAILED)
            else:
                self._sent += batch.spans

    async def _send_metrics(self, transport: Transport) -> None:
        metrics, now_ns = self._snapshot(), self._clock.wall_ns()
        if metrics:
            trouble = await self._in_thread(transport.send_metrics, metrics, self._start_ns, now_ns)
            self._report(trouble)

    async def _in_thread(self, call: Callable[..., _T], *args: object) -> _T:
        assert self._loop is not None
        return await self._loop.run_in_executor(self._pool, call, *args)

    def lose(self, spans: int, reason: str) -> None:
        """Count spans that nobody will see."""
        self._lost += spans
        self._dropped(SPANS, reason, spans)

    def _lose_rest(self, reason: str) -> None:
        while (batch := self._queue.take(self._settings.queue_bytes)) is not None:
            self.lose(batch.spans, reason)

    def _report(self, trouble: str) -> None:
        """Once when it begins, once when it is over; never in between."""
        if trouble and not self._trouble:
            _log.warning("telemetry cannot be exported and is being dropped: %s", trouble)
        elif self._trouble and not trouble:
            _log.info("telemetry is exported again; %d spans were lost", self._lost)
        self._trouble = trouble
