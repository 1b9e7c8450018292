"""A world: providers with their faults, callers with their habits, and one daemon without doors."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from sidecar.app.engine import Engine
from sidecar.cache.store import memory_cache
from sidecar.config import prices as price_rules
from sidecar.config.load import parse
from sidecar.config.resolve import Resolved, resolve
from sidecar.core.clock import LoopClock
from sidecar.core.events import AttemptBegan, Completed, Continuation, Event
from sidecar.core.failure import RequestFailed
from sidecar.core.request import (
    Completion,
    Message,
    OnInterruption,
    Priority,
    ReasoningOptions,
    Request,
    Role,
    Text,
)
from sidecar.core.transcript import Transcript
from sidecar.gateway.gateway import Gateway
from sidecar.keys.ring import Key
from sidecar.keys.secret import Secret
from sidecar.ledger.prices import PriceBook
from sidecar.limits.memory import MemoryStore
from sidecar.providers.table import DIALECTS, PROFILES
from sidecar.telemetry import Telemetry
from sidecar.testing import (
    FakeProvider,
    FakeTransport,
    ProviderConfig,
    Quota,
    Seeded,
    virtual,
)
from sidecar.testing import Key as FakeKey
from tests.simulation.books import Books

SECRET = "sk-planted-simulation-"

# Every way of failing that another target or another attempt can mend.
FAULTS = (
    "http-429", "http-429-2", "http-500", "http-503", "http-529", "lose-reset", "lose-close",
    "cut-reasoning-5", "cut-answer-7", "cut-byte-900", "rst-answer-3", "eof-reasoning-4",
    "eof-answer-9", "stall-8-400", "first-500", "silent-300", "error-openai-4", "error-vllm-0",
    "firsterror-openai", "error-deepseek-6", "no-finish", "empty", "html", "html-502", "no-done",
    "frame-crlf", "frame-comments", "chunk-7", "lateerror-openrouter",
    "prefix-echo+cut-answer-8", "prefix-restart+cut-answer-12", "prefix-refuse+cut-reasoning-6",
)  # fmt: skip

# What a provider says from these on until we hang up cannot be counted from outside: its bill
# cannot be matched to the token.
UNCOUNTABLE = ("garbage-6", "broken-6", "badbytes-5")

CONFIG = """
providers:
  deepseek:
    base_url: http://alpha
    accounts:
      a:
        keys: [{name: a1, env: A1}, {name: a2, env: A2}]
        limits: [{requests: 600, per: 60s, burst: 40}, {concurrency: 60}]
      b:
        keys: [{name: b1, env: B1}]
        limits: [{tokens: 200000, per: 60s, burst: 60000, class: reasoning}, {concurrency: 60}]
    timeouts: {headers: 30s, first_event: 60s, total: 900s}
    models: {"fake-*": {reasoning: true, resume: prefix, price: {input: 0.15, output: 0.60}}}
  second:
    dialect: openai-chat
    base_url: http://beta/v1
    accounts: {c: {keys: [{name: c1, env: C1}]}}
    models: {"fake-*": {reasoning: true, price: {input: 1.0, output: 4.0}}}
  third:
    dialect: openai-chat
    base_url: http://gamma/v1
    accounts: {d: {keys: [{name: d1, env: D1}]}}
    models: {"fake-*": {reasoning: true, price: {input: 2.0, output: 8.0}}}
routes:
  default: {targets: [deepseek/fake-reasoner-12-16, second/fake-reasoner-9-20, third/fake-60]}
  pair: {targets: [second/fake-reasoner-9-20, deepseek/fake-reasoner-12-16], patience: 1s}
  alone: {targets: [deepseek/fake-reasoner-12-16], retries: 5}
"""
KEYS = (("deepseek", "a", "a1"), ("deepseek", "a", "a2"), ("deepseek", "b", "b1"),
        ("second", "c", "c1"), ("third", "d", "d1"))  # fmt: skip
HOSTS = {"deepseek": "alpha", "second": "beta", "third": "gamma"}


class Wish(msgspec.Struct, frozen=True):
    """One caller: when it comes, what it asks, how long it waits, when it hangs up, if ever."""

    number: int
    at_s: float
    timeout_s: float
    hangs_up_s: float | None
    reattaches: bool
    completion: Completion


class Outcome(msgspec.Struct):
    """What a caller holds in the end."""

    wish: Wish
    request_id: str
    events: list[Event] = []
    error: RequestFailed | None = None
    hung_up: bool = False
    ended_s: float = 0.0
    deadline_s: float = 0.0


class World:
    """One run. `await run()` inside a virtual loop; then everything is there to be judged."""

    def __init__(
        self, seed: int, requests: int, rate: float = 0.12, faults: tuple[str, ...] = FAULTS
    ) -> None:
        self.rng = random.Random(f"world {seed}")
        self.clock = LoopClock(asyncio.get_running_loop(), virtual.START_WALL_NS)
        self.providers = {name: self._provider(name, Seeded(seed, rate, faults)) for name in HOSTS}
        hosts = {HOSTS[name]: provider for name, provider in self.providers.items()}
        self.transport = FakeTransport(hosts, self.clock)
        self.books = Books()
        self.store = MemoryStore(self.clock)
        self.resolved: Resolved = resolve(parse(CONFIG), PROFILES, set(DIALECTS))
        prices = PriceBook({}, None, price_rules.rules(self.resolved.config))
        self.engine = Engine(
            self.resolved,
            [Key(p, a, k, Secret(SECRET + k)) for p, a, k in KEYS],
            "simulated",
            clock=self.clock,
            rng=random.Random(f"daemon {seed}"),
            store=self.store,
            ledger=self.books,
            prices=prices,
            transports=lambda provider: self.transport,
            cache=memory_cache(),
        )
        self.wishes = [self._wish(number) for number in range(requests)]
        self.outcomes: list[Outcome] = []
        self.left: set[asyncio.Task[object]] = set()

    def _provider(self, name: str, script: Seeded) -> FakeProvider:
        keys = {
            SECRET + alias: FakeKey(alias, account)
            for provider, account, alias in KEYS
            if provider == name
        }
        config = ProviderConfig(
            keys=keys,
            prices={"*": PRICES[name]},
            quotas=QUOTAS.get(name, ()),
            keep=1_000_000,
            keep_bodies=0,
        )
        return FakeProvider(config, self.clock, script)

    def _wish(self, number: int) -> Wish:
        rng = self.rng
        text = "talk" + " abc" * rng.randrange(1, 60)
        hangs_up = rng.random() < 0.08
        return Wish(
            number=number,
            at_s=rng.uniform(0, 1800.0),
            timeout_s=rng.choice((5.0, 60.0, 300.0, 600.0, 600.0)),
            hangs_up_s=rng.uniform(0, 2.0) if hangs_up else None,
            reattaches=not hangs_up and rng.random() < 0.1,
            completion=Completion(
                model=rng.choice(("default", "default", "pair", "alone")),
                messages=(Message(Role.USER, (Text(text),)),),
                reasoning=ReasoningOptions(deliver=rng.random() > 0.15),
                priority=rng.choice(tuple(Priority)),
                caller=rng.choice(("red", "green", "blue")),
                on_interruption=rng.choice((None, None, None, *OnInterruption)),
            ),
        )

    async def run(self) -> None:
        """Let everybody come and go, then end the daemon."""
        self.engine.start()
        async with asyncio.TaskGroup() as group:
            for wish in self.wishes:
                group.create_task(self._caller(wish), name=f"caller {wish.number}")
        await self.engine.aclose()
        await self.transport.aclose()
        await asyncio.sleep(0)
        self.left = asyncio.all_tasks() - {asyncio.current_task()}

    async def _caller(self, wish: Wish) -> None:
        await asyncio.sleep(wish.at_s)
        outcome = Outcome(wish, f"request-{wish.number}")
        self.outcomes.append(outcome)
        now = self.clock.now()
        outcome.deadline_s = now + wish.timeout_s
        request = Request(outcome.request_id, wish.completion, outcome.deadline_s, now)
        try:
            async with asyncio.timeout(wish.hangs_up_s):
                if wish.reattaches:
                    await self._in_two_parts(outcome, request)
                else:
                    await self._collect(outcome, self._begin(request))
        except RequestFailed as error:
            outcome.error = error
        except TimeoutError:
            outcome.hung_up = True
        outcome.ended_s = self.clock.now()

    def _begin(self, request: Request) -> AsyncGenerator[Event, None]:
        gateway: Gateway = self.engine.gateway
        completion = request.completion
        trace = Telemetry.disabled().request(
            method="m", model=completion.model, streaming=True, now_ns=self.clock.wall_ns()
        )
        return gateway.stream(request, trace)

    async def _collect(
        self, outcome: Outcome, events: AsyncGenerator[Event, None], most: int = 1 << 30
    ) -> None:
        async with aclosing(events):
            async for event in events:
                outcome.events.append(event)
                if len(outcome.events) >= most:
                    return

    async def _in_two_parts(self, outcome: Outcome, request: Request) -> None:
        """Read a few events, hang up, come back with after_sequence."""
        digest = hashlib.blake2b(request.id.encode(), digest_size=16).digest()
        journals = self.engine.journals
        first = journals.attach(request.id, digest, 0, lambda: self._begin(request))
        await self._collect(outcome, first, most=self.rng.randrange(1, 12))
        if outcome.events and isinstance(outcome.events[-1], Completed):
            return
        await asyncio.sleep(self.rng.uniform(0, 3.0))
        after = len(outcome.events)
        again = journals.attach(request.id, digest, after, lambda: self._begin(request))
        await self._collect(outcome, again)


def held(events: list[Event]) -> tuple[Transcript, bool]:
    """What a client that knows only the seam rule holds, and whether it was told it is whole.

    Written anew here, on purpose: it judges the daemon, so it must not share its code.
    """
    kept: list[tuple[int, Event]] = []
    whole = False
    for sequence, event in enumerate(events, 1):
        if isinstance(event, AttemptBegan):
            kept = [pair for pair in kept if pair[0] <= event.discard_after_sequence]
            assert (event.continuation is Continuation.RESTARTED) <= (
                event.discard_after_sequence < sequence
            )
        elif isinstance(event, Completed):
            whole = True
        else:
            kept.append((sequence, event))
    transcript = Transcript()
    for _, event in kept:
        transcript.add(event)  # type: ignore[arg-type]
    return transcript, whole


def _prices() -> dict[str, object]:
    config = parse(CONFIG)
    return {rule.provider: rule.price for rule in price_rules.rules(config)}


PRICES = _prices()
QUOTAS = {
    "second": (Quota("second requests", "bucket", 240, per_s=60.0, burst=20),),
    "third": (Quota("third requests", "sliding", 600, per_s=60.0, scope="key"),),
}
