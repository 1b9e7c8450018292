"""The room's front: hands out the record of a request and turns finished ones into telemetry."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

from sidecar.core.clock import Clock
from sidecar.core.request import Completion
from sidecar.telemetry import export, gauges, semconv, tree
from sidecar.telemetry.context import Context, Ids, begun, continued
from sidecar.telemetry.export import Connect, Exporter, ExportStatus
from sidecar.telemetry.gauges import Gauges
from sidecar.telemetry.metrics import Published, Recorder
from sidecar.telemetry.record import AttemptTrace, Output, RequestTrace, Sink
from sidecar.telemetry.settings import Settings
from sidecar.telemetry.wire import Writer

__all__ = ["AttemptTrace", "Output", "RequestTrace", "Telemetry"]

_log = logging.getLogger("headway.telemetry")
_NOWHERE = Context(b"", b"", 0)


class Silence:
    """A sink for records nobody wants; its attempts pass the caller's context on unchanged."""

    __slots__ = ()

    def new_ids(self, count: int) -> bytes:
        return b""

    def take(self, request: RequestTrace) -> None:
        """Nothing."""


class Pipeline:
    """A sink that counts every record, encodes the sampled ones and hands them to the exporter."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        rng: random.Random,
        *,
        status: Callable[[], Gauges],
        connect: Connect,
        redact: Callable[[str], str],
    ) -> None:
        profiles = semconv.profiles(settings.semconv_opt_in)
        self._options = tree.Options(profiles, settings.capture_content, redact)
        self._ids = Ids(rng)
        self._status = status
        self._writer = Writer()
        self._failed = False
        self.recorder = Recorder(profiles)
        self.exporter = Exporter(
            settings,
            clock,
            rng,
            connect=connect,
            snapshot=self._snapshot,
            dropped=self.recorder.dropped,
        )

    def new_ids(self, count: int) -> bytes:
        return self._ids.take(8 * count)

    def take(self, request: RequestTrace) -> None:
        # A mistake in here must not become a failed request: it is counted, and told once.
        try:
            self.recorder.request(request)
            if request.context.sampled:
                made = tree.encoded(request, self._writer, self.new_ids, self._options)
                self.exporter.put(made)
        except Exception:
            self.exporter.lose(1, export.INTERNAL_ERROR)
            self._tell_once("a request could not be turned into telemetry")

    def _snapshot(self) -> tuple[Published, ...]:
        try:
            now = gauges.published(self._status())
        except Exception:
            self._tell_once("the daemon's state could not be read for telemetry")
            now = ()
        return (*self.recorder.snapshot(), *now)

    def _tell_once(self, what: str) -> None:
        if not self._failed:
            self._failed = True
            _log.exception("%s; further cases are only counted", what)


class Telemetry:
    """Traces and metrics of the daemon. Everything but `aclose` is synchronous and never raises.

    `status` is called on the event loop, once per metrics interval. `rng` makes trace and span ids
    and must be seeded by the operating system in production. `redact` is applied to opted-in text.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        rng: random.Random,
        *,
        status: Callable[[], Gauges] = Gauges,
        connect: Connect = export.connect_otlp,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._settings = settings
        self._pipeline = (
            Pipeline(settings, clock, rng, status=status, connect=connect, redact=redact)
            if settings.enabled
            else None
        )
        self._sink: Sink = self._pipeline or Silence()

    @classmethod
    def disabled(cls) -> Telemetry:
        """Records nothing and sends nothing; needs no clock and no loop."""
        made = cls.__new__(cls)
        made._settings = Settings()
        made._pipeline = None
        made._sink = Silence()
        return made

    def request(
        self,
        *,
        method: str,
        traceparent: str = "",
        tracestate: str = "",
        model: str,
        route: str = "",
        caller: str = "",
        streaming: bool,
        completion: Completion | None = None,
        request_id: str = "",
        client_name: str = "",
        transport: str = "",
        server_address: str = "",
        server_port: int = 0,
        now_ns: int,
    ) -> RequestTrace:
        """The record of a request that has just come in.

        `method` is "headway.v1.CompletionService/StreamCompletion"; `traceparent` and `tracestate`
        are the caller's metadata, unchecked. `completion` adds the request's parameters to the
        span. `transport` is "unix" or "tcp", `server_address` the socket's path or our own host.
        """
        return RequestTrace(
            sink=self._sink,
            context=self._context(traceparent, tracestate),
            method=method,
            model=model,
            route=route,
            caller=caller,
            streaming=streaming,
            start_ns=now_ns,
            completion=completion,
            request_id=request_id,
            client_name=client_name,
            transport=transport,
            server_address=server_address,
            server_port=server_port,
        )

    def call(self, *, method: str, status_code: str, start_ns: int, now_ns: int) -> None:
        """One finished call of another rpc: counted in `rpc.server.call.duration`, no span."""
        if self._pipeline is not None:
            self._pipeline.recorder.call(method, status_code, (now_ns - start_ns) / 1e9)

    def start(self) -> None:
        """Begin exporting, on the running loop; call it once the daemon is ready."""
        if self._pipeline is not None:
            self._pipeline.exporter.start()

    def status(self) -> ExportStatus | None:
        """How exporting goes; None where telemetry is off."""
        return self._pipeline.exporter.status() if self._pipeline is not None else None

    async def aclose(self, timeout_s: float) -> None:
        """Send what is left, for at most `timeout_s` seconds, and stop."""
        if self._pipeline is not None:
            await self._pipeline.exporter.aclose(timeout_s)

    def _context(self, traceparent: str, tracestate: str) -> Context:
        found = continued(traceparent, tracestate) if traceparent else None
        if found is not None:
            return found
        if self._pipeline is None:
            return _NOWHERE
        return begun(self._pipeline.new_ids(2), self._settings.sample_ratio)
