"""One daemon without doors, its providers in memory, in virtual time; everything in it is real."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

from sidecar.app.engine import Engine
from sidecar.cache.store import Cache, memory_cache
from sidecar.config import prices as price_rules
from sidecar.config.load import parse
from sidecar.config.resolve import resolve
from sidecar.core.events import Completed, Event
from sidecar.core.failure import RequestFailed
from sidecar.core.request import Completion, Message, Request, Role, Text
from sidecar.failover.session import Session
from sidecar.gateway.lease import Lease
from sidecar.gateway.search import Want
from sidecar.keys.ring import Key
from sidecar.keys.secret import Secret
from sidecar.ledger.prices import PriceBook
from sidecar.limits.bucket import Cost, Dimension
from sidecar.limits.memory import MemoryStore
from sidecar.limits.store import Reservation
from sidecar.providers.table import DIALECTS, PROFILES
from sidecar.telemetry import Telemetry
from sidecar.testing import FakeProvider, FakeTransport, Listed, ProviderConfig, virtual
from sidecar.testing import Key as FakeKey
from tests.simulation.books import Books

# Two providers; limits are filled in by each test.
CONFIG = """
providers:
  deepseek:
    base_url: http://alpha
    accounts:
      team: {{keys: [{keys}], limits: [{limits}]}}
    models: {{"fake-*": {{reasoning: true, resume: prefix, price: {{input: 1.0, output: 4.0}}}}}}
  second:
    dialect: openai-chat
    base_url: http://beta/v1
    accounts: {{other: {{keys: [{{name: b1, env: B1}}]}}}}
    models: {{"fake-*": {{price: {{input: 2.0, output: 8.0}}}}}}
routes:
  one: {{targets: [deepseek/fake-reasoner-6-8], retries: 2}}
  both: {{targets: [deepseek/fake-reasoner-6-8, second/fake-12], retries: 1, patience: 250ms}}
{more}
server: {{max_streams: {max_streams}, max_waiting: {max_waiting}}}
"""
MODEL = "fake-reasoner-6-8"
PLAIN = Want(Cost(1, 10, 10), thinks=True, work_s=1.0, input_bytes=40)


def key_lines(aliases: tuple[str, ...]) -> str:
    return ", ".join(f"{{name: {alias}, env: {alias.upper()}}}" for alias in aliases)


class House:
    """`faults` are given to the first provider's attempts in order, `second` to the other's.
    `more` are further lines of the configuration, first further routes."""

    def __init__(
        self,
        *faults: str,
        limits: str = "",
        aliases: tuple[str, ...] = ("a1",),
        second: tuple[str, ...] = (),
        max_streams: int = 100,
        max_waiting: int = 100,
        cache: Cache | None = None,
        more: str = "",
    ) -> None:
        self.clock = virtual.clock()
        text = CONFIG.format(
            limits=limits,
            keys=key_lines(aliases),
            max_streams=max_streams,
            max_waiting=max_waiting,
            more=more,
        )
        self.resolved = resolve(parse(text), PROFILES, set(DIALECTS))
        self.keys = [Key("deepseek", "team", alias, Secret("sk-" + alias)) for alias in aliases]
        self.keys.append(Key("second", "other", "b1", Secret("sk-b1")))
        self.first = self._provider("deepseek", faults)
        self.second = self._provider("second", second)
        self.transport = FakeTransport({"alpha": self.first, "beta": self.second}, self.clock)
        self.books = Books()
        self.store = MemoryStore(self.clock)
        self.engine = Engine(
            self.resolved,
            self.keys,
            "test",
            clock=self.clock,
            rng=random.Random(1),
            store=self.store,
            ledger=self.books,
            prices=PriceBook({}, None, price_rules.rules(self.resolved.config)),
            transports=lambda provider: self.transport,
            cache=cache or memory_cache(),
        )
        self._count = 0

    def _provider(self, name: str, faults: tuple[str, ...]) -> FakeProvider:
        rules = price_rules.rules(self.resolved.config)
        price = next(rule.price for rule in rules if rule.provider == name)
        keys = {
            "sk-" + key.alias: FakeKey(key.alias, key.account)
            for key in self.keys
            if key.provider == name
        }
        config = ProviderConfig(keys=keys, prices={"*": price})  # type: ignore[dict-item]
        return FakeProvider(config, self.clock, Listed(faults))

    # -- requests ----------------------------------------------------------------------------

    def request(self, route: str = "one", timeout_s: float = 600.0, **more: object) -> Request:
        self._count += 1
        messages = (Message(Role.USER, (Text("tell me"),)),)
        completion = Completion(route, messages, **more)  # type: ignore[arg-type]
        now = self.clock.now()
        return Request(f"r-{self._count}", completion, now + timeout_s, now)

    def session(self, route: str = "one", timeout_s: float = 600.0, **more: object) -> Session:
        request = self.request(route, timeout_s, **more)
        world = self.engine.gateway.world
        return Session(request, world.catalog.route(request.completion), random.Random(1))

    def stream(self, request: Request) -> AsyncGenerator[Event, None]:
        trace = Telemetry.disabled().request(
            method="m", model="m", streaming=True, now_ns=self.clock.wall_ns()
        )
        return self.engine.gateway.stream(request, trace)

    async def ask(
        self, route: str = "one", timeout_s: float = 600.0, **more: object
    ) -> list[Event]:
        """All events of one request. Raises its RequestFailed."""
        return await collected(self.stream(self.request(route, timeout_s, **more)))

    async def failure(
        self, route: str = "one", timeout_s: float = 600.0, **more: object
    ) -> RequestFailed:
        return await refused(self.stream(self.request(route, timeout_s, **more)))

    # -- leases ------------------------------------------------------------------------------

    async def acquire(
        self, route: str = "one", timeout_s: float = 600.0, want: Want = PLAIN, **more: object
    ) -> Lease:
        session = self.session(route, timeout_s, **more)
        return await self.acquire_for(session, want)

    async def acquire_for(self, session: Session, want: Want = PLAIN) -> Lease:
        return await self.engine.parts.leases.acquire(session, self.engine.gateway.world, want)

    def settle(self, reservation: Reservation, used: Cost = PLAIN.cost) -> None:
        self.engine.parts.leases.settle(reservation, used)

    def line(self, provider: str, model: str = MODEL):  # type: ignore[no-untyped-def]
        target = self.engine.book.target(provider, model)
        assert target is not None
        return self.engine.book.line(target)

    def free(self) -> dict[str, int]:
        """What is free now, by dimension, of the first provider's buckets."""
        return {s.bucket.dimension.value: s.free_now for s in self.store.snapshot()}

    # -- judging -----------------------------------------------------------------------------

    def judge(self) -> None:
        """Nothing is in the air, and the ledger is the providers' bill."""
        for state in self.store.snapshot():
            if state.bucket.dimension is Dimension.CONCURRENCY:
                assert state.free_now == state.limit_now, state
        assert self.engine.admission.active == 0
        assert not +self.engine.parts.traffic.targets
        keys = [entry.key for entry in self.books.entries]
        assert len(set(keys)) == len(keys)
        billed = self.first.bill.total.cost + self.second.bill.total.cost
        ledger = sum((entry.cost for entry in self.books.entries), start=type(billed)())
        assert ledger == billed, (ledger, billed)

    async def aclose(self) -> None:
        await self.engine.aclose()
        await self.transport.aclose()


async def collected(events: AsyncGenerator[Event, None]) -> list[Event]:
    async with aclosing(events):
        return [event async for event in events]


async def refused(events: AsyncGenerator[Event, None]) -> RequestFailed:
    try:
        got = await collected(events)
    except RequestFailed as error:
        return error
    raise AssertionError(f"it ended well: {got[-1]}")


def completed(events: list[Event]) -> Completed:
    last = events[-1]
    assert isinstance(last, Completed)
    return last


async def settled_down() -> None:
    """Let everything that is ready run; no time passes."""
    for _ in range(50):
        await asyncio.sleep(0)
