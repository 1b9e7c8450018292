"""Getting telemetry out without anybody waiting for it.

One task of the event loop batches, sends and repeats; a collector that is dead or hangs holds up
that task and nothing else. What waits for it is bounded in bytes; what finds no room is counted
and lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from sidecar.core.clock import Clock
from sidecar.core.tasks import ended
from sidecar.telemetry.metrics import Published
from sidecar.telemetry.settings import Settings
from sidecar.telemetry.tree import Encoded

_log = logging.getLogger("headway.telemetry")

SPANS = "spans"
QUEUE_FULL = "queue_full"
EXPORT_FAILED = "export_failed"
REJECTED = "rejected"
SHUTDOWN = "shutdown"
INTERNAL_ERROR = "internal_error"

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 30.0
"""OTLP asks for exponential backoff with jitter; these bounds are ours."""

_PATIENCE_IN_TROUBLE_S = 1.0
"""How long a shutdown waits for a collector that was not answering before it."""


class Answer(msgspec.Struct, frozen=True):
    """What became of one send: `trouble` "" if it was taken.

    `retry` allows the same again, not before `after_s`; `rejected` counts what the collector took
    out of a request that it otherwise accepted.
    """

    trouble: str = ""
    retry: bool = False
    after_s: float = 0.0
    rejected: int = 0


class Transport(Protocol):
    """Sends to a collector; raises nothing expected."""

    async def send_spans(self, spans: bytes) -> Answer:
        """Encoded spans, one after another."""

    async def send_metrics(
        self, metrics: tuple[Published, ...], start_ns: int, now_ns: int
    ) -> Answer:
        """A snapshot taken at `now_ns` of what was counted since `start_ns`."""

    async def close(self) -> None:
        """End the connection."""


Connect = Callable[[Settings], Transport]


def connect_otlp(settings: Settings) -> Transport:
    """The real transport; imported when it is needed, not before the daemon is ready."""
    from sidecar.telemetry.otlp import OtlpTransport

    return OtlpTransport(settings)


class ExportStatus(msgspec.Struct, frozen=True):
    """How exporting goes. `trouble` is the last failure, "" while all is well; `retry_at` is when
    something is sent again at the latest, in loop seconds."""

    endpoint: str
    spans_sent: int
    spans_dropped: int
    bytes_waiting: int
    trouble: str
    retry_at: float = 0.0


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
    """Batches, sends, repeats, counts. `snapshot` is asked for the metrics each interval.

    `dropped(signal, reason, count)` hears of everything that was lost.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        rng: random.Random,
        *,
        connect: Connect,
        snapshot: Callable[[], tuple[Published, ...]],
        dropped: Callable[[str, str, int], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._connect = connect
        self._snapshot = snapshot
        self._dropped = dropped
        self._queue = SpanQueue(settings.queue_bytes)
        self._start_ns = clock.wall_ns()
        self._sent = 0
        self._lost = 0
        self._trouble = ""
        self._paused_until = 0.0
        self._retrying = False
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._batch_timer: asyncio.TimerHandle | None = None
        self._metrics_timer: asyncio.TimerHandle | None = None
        self._metrics_due = 0.0

    def put(self, item: Encoded) -> None:
        """Take a request's spans; never waits."""
        if self._closing.is_set() or not self._queue.put(item):
            self.lose(item.spans, SHUTDOWN if self._closing.is_set() else QUEUE_FULL)
        elif self._queue.size_bytes >= self._settings.batch_bytes:
            self._wake.set()
        elif self._loop is not None and self._batch_timer is None:
            delay_s = self._settings.batch_delay_s
            self._batch_timer = self._loop.call_later(delay_s, self._wake.set)

    def lose(self, spans: int, reason: str) -> None:
        """Count spans that nobody will see."""
        self._lost += spans
        self._dropped(SPANS, reason, spans)

    def start(self) -> None:
        """Begin exporting, on the running loop."""
        if self._task is None:
            self._loop = asyncio.get_running_loop()
            self._task = self._loop.create_task(self._run(), name="telemetry")

    def status(self) -> ExportStatus:
        return ExportStatus(
            endpoint=self._settings.endpoint,
            spans_sent=self._sent,
            spans_dropped=self._lost,
            bytes_waiting=self._queue.size_bytes,
            trouble=self._trouble,
            retry_at=max(self._paused_until, self._clock.now())
            if self._retrying
            else self._metrics_due,
        )

    async def aclose(self, timeout_s: float) -> None:
        """Send what is left, for at most `timeout_s`; what does not get out is counted as lost."""
        self._closing.set()
        self._wake.set()
        if self._task is not None:
            patience_s = min(timeout_s, _PATIENCE_IN_TROUBLE_S) if self._trouble else timeout_s
            await asyncio.wait((self._task,), timeout=patience_s)
            await ended([self._task])
        self._disarm()
        if self._metrics_timer is not None:
            self._metrics_timer.cancel()
        while (batch := self._queue.take(self._settings.queue_bytes)) is not None:
            self.lose(batch.spans, SHUTDOWN)

    async def _run(self) -> None:
        try:
            transport = self._connect(self._settings)
        except Exception as error:
            self._report(f"{type(error).__name__}: {error}")
            return
        try:
            await self._serve(transport)
        finally:
            await transport.close()

    async def _serve(self, transport: Transport) -> None:
        self._wake_for_metrics()
        while not self._closing.is_set():
            await self._wake.wait()
            self._wake.clear()
            self._disarm()
            await self._send_spans(transport)
            if self._clock.now() >= self._metrics_due:
                await self._send_metrics(transport)
                self._wake_for_metrics()
        await self._send_spans(transport)
        await self._send_metrics(transport)

    def _wake_for_metrics(self) -> None:
        self._metrics_due = self._clock.now() + self._settings.metrics_interval_s
        if self._loop is not None:
            interval_s = self._settings.metrics_interval_s
            self._metrics_timer = self._loop.call_later(interval_s, self._wake.set)

    def _disarm(self) -> None:
        if self._batch_timer is not None:
            self._batch_timer.cancel()
            self._batch_timer = None

    async def _send_spans(self, transport: Transport) -> None:
        while (batch := self._queue.take(self._settings.batch_bytes)) is not None:
            try:
                await self._send_batch(transport, batch)
            except asyncio.CancelledError:
                self.lose(batch.spans, SHUTDOWN)
                raise

    async def _send_batch(self, transport: Transport, batch: Encoded) -> None:
        """Until it is taken or refused for good; once the shutdown has begun, one try only."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            last = self._closing.is_set()
            answer = await _answered(transport.send_spans(batch.data))
            self._report(answer.trouble)
            if not answer.trouble or answer.rejected:
                self._sent += batch.spans - answer.rejected
                if answer.rejected:
                    self.lose(answer.rejected, REJECTED)
                return
            if last or not answer.retry:
                self.lose(batch.spans, EXPORT_FAILED)
                return
            jittered_s = backoff_s * self._rng.uniform(0.8, 1.2)
            await self._pause(max(jittered_s, answer.after_s))
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)

    async def _pause(self, pause_s: float) -> None:
        """Wait, but not longer than until the shutdown begins."""
        self._paused_until = self._clock.now() + pause_s
        self._retrying = True
        try:
            async with asyncio.timeout(pause_s):
                await self._closing.wait()
        except TimeoutError:
            return
        finally:
            self._retrying = False

    async def _send_metrics(self, transport: Transport) -> None:
        """What could not be sent is in the next snapshot: they are cumulative."""
        metrics, now_ns = self._snapshot(), self._clock.wall_ns()
        if metrics:
            sending = transport.send_metrics(metrics, self._start_ns, now_ns)
            answer = await _answered(sending)
            self._report(answer.trouble)

    def _report(self, trouble: str) -> None:
        """Once when it begins, once when it is over; never in between."""
        if trouble and not self._trouble:
            _log.warning("telemetry cannot be exported, traffic goes on: %s", trouble)
        elif self._trouble and not trouble:
            _log.info("telemetry is exported again; %d spans were lost", self._lost)
        self._trouble = trouble


async def _answered(sending: Awaitable[Answer]) -> Answer:
    """The answer; what a transport should not have raised is a refusal, not the exporter's end."""
    try:
        return await sending
    except Exception as error:
        return Answer(f"{type(error).__name__}: {error}")
