"""The engine: everything but gRPC. The daemon wraps it in doors; the simulation drives it bare."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from sidecar.app.lines import LineBook, Transports, Upstreams
from sidecar.cache.store import Cache
from sidecar.config import budgets
from sidecar.config.durations import seconds
from sidecar.config.resolve import Resolved
from sidecar.config.schema import ServerConfig
from sidecar.core.clock import Clock
from sidecar.core.money import Price
from sidecar.core.target import Target
from sidecar.core.tasks import ended
from sidecar.failover.abilities import Abilities
from sidecar.failover.experience import Experience
from sidecar.gateway.admission import Admission
from sidecar.gateway.answers import Answers
from sidecar.gateway.fleet import Fleet
from sidecar.gateway.gateway import Gateway
from sidecar.gateway.holding import Holding
from sidecar.gateway.journal import JournalPolicy, Journals
from sidecar.gateway.lease import Leases
from sidecar.gateway.line import World
from sidecar.gateway.parts import Ledger, Parts, Prices
from sidecar.gateway.pulse import Pulse
from sidecar.gateway.recollections import RecollectionPolicy, Recollections
from sidecar.gateway.spending import Spending
from sidecar.gateway.teacher import Teacher
from sidecar.gateway.traffic import Traffic
from sidecar.keys.ring import Key, KeyRing
from sidecar.limits.board import Board
from sidecar.limits.estimate import Estimator
from sidecar.limits.spend import MemorySpend, SpendStore
from sidecar.limits.store import Store
from sidecar.routing.catalog import Catalog


class Engine:
    """All parts of one daemon, wired. Belongs to one event loop."""

    def __init__(
        self,
        resolved: Resolved,
        keys: Iterable[Key],
        version: str,
        *,
        clock: Clock,
        rng: random.Random,
        store: Store,
        ledger: Ledger,
        prices: Prices,
        transports: Transports,
        cache: Cache,
        board: Board | None = None,
        spend: SpendStore | None = None,
    ) -> None:
        server = resolved.config.server
        changed = Pulse()
        ring = KeyRing(keys)
        self.clock = clock
        self.ring = ring
        self.store = store
        self.upstreams = Upstreams(transports)
        self.book = LineBook(resolved, self.upstreams)
        self.abilities = Abilities()
        self._prices = prices
        self.fleet = Fleet(clock, ring, changed, board, lambda: self.book.lines())
        self.spending = self._budgets(resolved, spend or MemorySpend())
        self.parts = Parts(
            clock=clock,
            store=store,
            ring=ring,
            ledger=ledger,
            prices=prices,
            estimator=Estimator(),
            abilities=self.abilities,
            experience=Experience(resolved.config.retry_budget),
            leases=Leases(clock, store, ring, changed, self.fleet),
            fleet=self.fleet,
            spending=self.spending,
            holding=Holding(ledger),
            teacher=Teacher(clock, store),
            traffic=Traffic(),
            recollections=Recollections(clock, cache, _recollection(server)),
            rng=rng,
        )
        self.admission = Admission(clock, server.max_streams, server.max_waiting)
        self.admission.weights = resolved.weights
        self.gateway = Gateway(
            self.parts, self.admission, Answers(clock, cache), self._world(resolved, version)
        )
        self.journals = Journals(
            clock,
            JournalPolicy(
                keep_s=seconds(server.replay_keep), linger_s=seconds(server.replay_linger)
            ),
            cache,
        )
        self._cache = cache
        self._beside: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin what runs beside the requests."""
        self.fleet.start()
        self.spending.start()
        loop = asyncio.get_running_loop()
        self._beside = [
            loop.create_task(self.parts.leases.renew(), name="renew leases"),
            loop.create_task(self.parts.holding.sweep(), name="tell the ledger"),
        ]

    def apply(self, resolved: Resolved, keys: Iterable[Key], version: str) -> None:
        """Serve new requests by a new configuration; running ones keep theirs."""
        self.ring.replace(keys)
        self.admission.weights = resolved.weights
        self.book = LineBook(resolved, self.upstreams, self.book)
        self.abilities.forget()
        self.parts.experience.configure(resolved.config.retry_budget)
        self.fleet.applied()
        self.spending.apply(budgets.rules(resolved.config))
        self.gateway.world = self._world(resolved, version)

    async def aclose(self) -> None:
        """End everything that still runs, settled; close every connection."""
        await self.journals.aclose()
        await ended(self._beside)
        await self.spending.aclose()
        await self.fleet.aclose()
        await self.store.aclose()
        await self.upstreams.aclose()
        await self._cache.aclose()

    def _budgets(self, resolved: Resolved, store: SpendStore) -> Spending:
        return Spending(self.clock, store, self._price, budgets.rules(resolved.config))

    def _price(self, target: Target, tokens: int) -> Price | None:
        now_ns = self.clock.wall_ns()
        return self._prices.quote(target.provider, target.model, now_ns, tokens).price

    def _world(self, resolved: Resolved, version: str) -> World:
        return World(
            version=version,
            catalog=Catalog(resolved.routes, self.book.target),
            line=self.book.line,
            policy=resolved.config.pool,
            default_timeout_s=seconds(resolved.config.server.default_timeout),
        )


def _recollection(server: ServerConfig) -> RecollectionPolicy:
    return RecollectionPolicy(
        on=server.recollect,
        keep_s=seconds(server.recollect_keep),
        most_bytes=server.recollect_bytes,
    )
