"""The daemon's life: start, serve, reload, drain, stop."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from sidecar.app import secrets
from sidecar.app.engine import Engine
from sidecar.app.gauges import gauges
from sidecar.app.prices import PriceDesk, price_book, refreshed
from sidecar.app.sights import StoreWatch, export_sight, ledger_sight
from sidecar.app.source import Source
from sidecar.app.stores import board_for, cache_for, password_of, spend_for, store_for
from sidecar.app.transports import Stock
from sidecar.app.watch import Watch
from sidecar.config.durations import seconds
from sidecar.config.load import BadConfig
from sidecar.config.resolve import Resolved
from sidecar.config.store import own_password
from sidecar.core.clock import LoopClock, system_now
from sidecar.core.money import Price
from sidecar.core.tasks import ended
from sidecar.gateway.line import Line
from sidecar.ledger.ledger import Ledger
from sidecar.ledger.price_file import installed_version
from sidecar.ledger.query import UsageQuery, UsageReport
from sidecar.server.access import Access
from sidecar.server.beside import ExportSight, LedgerSight, StoreSight
from sidecar.server.completion import CompletionDoor
from sidecar.server.control import ControlDoor, Reloaded
from sidecar.server.listener import Listener, ListenOptions
from sidecar.server.status import ConfigState, StatusPage
from sidecar.server.streams import Streams
from sidecar.telemetry import Settings, Telemetry
from sidecar.telemetry.log import Redactor

VERSION = "0.1.0"
# Of the grace, so much is kept for ending what is left and for writing ledger and spans, seconds.
MARGIN_S = 2.0
# What a shutdown may wait for a collector, seconds.
FLUSH_S = 1.5
# At a reload these sections say what they will be after the next start; all others count at once.
AT_START = ("listen", "health", "store", "ledger", "telemetry", "server")

log = logging.getLogger("headway")


class Daemon:
    """One daemon. `serve` runs it to its end."""

    version = VERSION

    def __init__(self, source: Source, environment: Mapping[str, str], redactor: Redactor) -> None:
        self._source = source
        self._environment = environment
        self._redactor = redactor
        self._stopping = asyncio.Event()
        self._draining: asyncio.Task[tuple[int, int]] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self.state = "starting"
        self._clock = LoopClock(asyncio.get_running_loop(), fine=system_now)
        self.started_ns = self._clock.wall_ns()
        self._resolved, self._text = source.read()
        self._load(self._resolved)
        self._build()

    # -- building ----------------------------------------------------------------------------

    def _load(self, resolved: Resolved) -> None:
        """Read keys, tell what could not be read. Raises BadConfig if there is no key at all."""
        loaded = secrets.load(resolved, self._environment)
        wanted = any(account.keys for p in resolved.providers.values() for account in p.accounts)
        if wanted and not loaded.keys:
            raise BadConfig(list(loaded.problems))
        for problem in (*resolved.warnings, *loaded.problems):
            log.warning("%s", problem)
        for secret in (*(key.secret for key in loaded.keys), *loaded.tokens):
            self._redactor.add(secret.reveal())
        self._loaded = loaded

    def _build(self) -> None:
        config = self._resolved.config
        self.stores = StoreWatch(self._clock, shared=config.store.shared)
        password = password_of(config.store, self._environment)
        self._redactor.add(password.reveal() if password is not None else "")
        self._redactor.add(own_password(config.store))
        keep_s = seconds(config.ledger.keep)
        self._ledger = Ledger.open(
            config.ledger.path or ":memory:", self._clock, retention_s=keep_s
        )
        self._telemetry = Telemetry(
            self._settings(), self._clock, random.SystemRandom(), status=lambda: gauges(self),
            redact=self._redactor.redact,
        )  # fmt: skip
        self._prices = PriceDesk(price_book(self._resolved))
        self._transports = Stock()
        board = board_for(config.store, password, self._clock)
        self.engine = Engine(
            self._resolved,
            self._loaded.keys,
            self._text.version,
            clock=self._clock,
            rng=random.Random(random.SystemRandom().getrandbits(64)),
            store=store_for(config.store, password, self._clock, self.stores.told),
            ledger=self._ledger,
            prices=self._prices,
            transports=self._transports,
            cache=cache_for(config.store, password),
            board=board,
            spend=spend_for(config.store, password, self._clock, board),
        )
        self.config = ConfigState(self._text.version, self._clock.wall_ns(), self._problems())
        self._streams = Streams()
        self._listener = self._doors()

    def _settings(self) -> Settings:
        config = self._resolved.config.telemetry
        return Settings(
            endpoint=config.otlp_endpoint,
            headers=tuple(config.headers.items()),
            service_version=VERSION,
            resource=tuple(config.resource.items()),
            sample_ratio=config.sample_ratio,
            semconv_opt_in=config.semconv,
            capture_content=config.content,
            metrics_interval_s=seconds(config.interval),
        )

    def _doors(self) -> Listener:
        config, engine = self._resolved.config, self.engine
        access = Access(self._loaded.tokens)
        page = StatusPage(self._clock, engine.gateway, engine.journals, lambda: self)
        completion = CompletionDoor(
            self._clock, engine.gateway, engine.journals, self._telemetry, self._streams, access
        )
        control = ControlDoor(self._clock, engine.gateway, page, self, access)
        server = config.server
        options = ListenOptions(
            addresses=config.listen,
            health=config.health,
            mode=int(server.socket_mode, 8),
            most_message_bytes=server.max_message_bytes,
            most_streams=server.max_streams,
            reflection_on_tcp=server.reflection_on_tcp,
            public=server.public,
            engine=server.engine,
        )
        return Listener(options, completion, control)

    def _problems(self) -> tuple[tuple[str, str], ...]:
        return tuple((problem.path, problem.message) for problem in self._loaded.problems)

    # -- life --------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Serve until `stop` or `drain`, then end cleanly. Raises CannotListen."""
        try:
            await self.engine.spending.recall(self._ledger.usage)
            self.engine.start()
            await self._listener.start()
            self.state = "serving"
            log.info("ready on %s", ", ".join(self._resolved.config.listen))
            self._tell_found()
            self._telemetry.start()
            self._ledger.start_pruning()
            self._refreshing = asyncio.create_task(self._refresh_prices(), name="refresh prices")
            async with Watch(self._source, self._watched, self._reload_and_tell):
                await self._stopping.wait()
        finally:
            await self._end()

    async def _refresh_prices(self) -> None:
        """Whoever installed a newer price library gets its prices, soon after the start."""
        installed = await asyncio.to_thread(installed_version)
        if await refreshed(self._resolved, installed):
            self._prices.book = await asyncio.to_thread(price_book, self._resolved)

    def _tell_found(self) -> None:
        """Whoever wrote no configuration is told what was made of the environment."""
        if self._source.path is None:
            for route in self._resolved.routes:
                targets = ", then ".join(target.name for target in route.targets)
                log.info("no configuration file; route %s: %s", route.name, targets)

    def stop(self) -> None:
        """SIGTERM: drain with the configured grace, then end."""
        grace_s = seconds(self._resolved.config.server.drain_grace)
        self._drain_once(grace_s)

    async def drain(self, grace_s: float) -> tuple[int, int]:
        """Take no new calls, let the running ones finish within the grace, end the others.

        Returns how many finished and how many were ended; the daemon then ends.
        """
        return await asyncio.shield(self._drain_once(grace_s))

    def _drain_once(self, grace_s: float) -> asyncio.Task[tuple[int, int]]:
        if self._draining is None:
            loop = asyncio.get_running_loop()
            self._draining = loop.create_task(self._drain(grace_s), name="drain")
        return self._draining

    async def _drain(self, grace_s: float) -> tuple[int, int]:
        self.state = "draining"
        self.engine.admission.closed = True
        running = self.engine.admission.active
        log.info("draining: %d streams, grace %.1f s", running, grace_s)
        await self._listener.lame_duck()
        await self.engine.admission.wait_empty(max(grace_s - MARGIN_S, grace_s / 2))
        left = self.engine.admission.active
        if left:
            log.warning("%d streams did not finish within the grace and are ended", left)
            self.engine.admission.over = True
            self._streams.end()
            await self._streams.wait_idle(MARGIN_S / 2)
        self._stopping.set()
        return running - left, left

    async def _end(self) -> None:
        """Whatever happened: everything settled, written and closed."""
        await ended([self._refreshing])
        await self._listener.stop(0.2)
        await self.engine.aclose()
        await self._ledger.aclose()
        await self._telemetry.aclose(FLUSH_S)
        log.info("ended")

    # -- configuration -----------------------------------------------------------------------

    def _watched(self) -> set[Path]:
        return secrets.files(self._resolved)

    async def _reload_and_tell(self) -> None:
        await self.reload()

    async def reload(self) -> Reloaded:
        """Take the configuration and the keys anew; a bad one is refused and the old one stays."""
        try:
            resolved, text = await asyncio.to_thread(self._source.read)
            self._load(resolved)
        except BadConfig as error:
            told = tuple((problem.path, problem.message) for problem in error.problems)
            self.config = msgspec.structs.replace(
                self.config, errors=told, refused_ns=self._clock.wall_ns()
            )
            log.error("configuration refused, the old one stays: %s", error)
            return Reloaded(False, self.config.version, told)
        changed = text.version != self.config.version
        self._tell_unchanged(resolved)
        self._resolved, self._text = resolved, text
        self._prices.book = price_book(resolved)
        self.engine.apply(resolved, self._loaded.keys, text.version)
        self.config = ConfigState(text.version, self._clock.wall_ns(), self._problems())
        log.info("configuration %s in force", text.version)
        return Reloaded(changed, text.version, self._problems())

    def _tell_unchanged(self, resolved: Resolved) -> None:
        for section in AT_START:
            if getattr(resolved.config, section) != getattr(self._resolved.config, section):
                log.warning("%s: the change counts from the next start", section)

    # -- what the doors ask ------------------------------------------------------------------

    @property
    def store(self) -> StoreSight:
        return self.stores.sight(self.engine.store)

    @property
    def ledger(self) -> LedgerSight:
        return ledger_sight(self._ledger.state)

    @property
    def exporter(self) -> ExportSight:
        return export_sight(self._telemetry.status())

    def lines(self) -> Iterable[Line]:
        return self.engine.book.lines()

    async def usage(self, query: UsageQuery) -> UsageReport:
        return await self._ledger.usage(query)

    def price(self, line: Line) -> Price | None:
        target = line.target
        return self._prices.quote(target.provider, target.model, self._clock.wall_ns()).price
