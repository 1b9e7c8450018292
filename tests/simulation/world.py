"""A world: providers with their faults, callers with their habits, and daemons without doors."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from sidecar.app.engine import Engine
from sidecar.cache.store import memory_cache
from sidecar.config import prices as price_rules
from sidecar.config.resolve import Resolved
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
from sidecar.telemetry import Telemetry
from sidecar.testing import (
    FakeProvider,
    FakeTransport,
    ProviderConfig,
    Seeded,
    virtual,
)
from sidecar.testing import Key as FakeKey
from tests.simulation.books import Books
from tests.simulation.places import (
    FAULTS,
    HOSTS,
    KEYS,
    PLAIN,
    QUOTAS,
    RICH,
    SECRET,
    keys_of,
    resolved,
)
from tests.simulation.weather import Skies, Spell, forecast

# Where DeepSeek's prices change, and where they do not: seconds after `virtual.START_WALL_NS`, a
# Monday at 12:00 UTC. Tuesday 00:45, 03:45, 05:45 and 09:45, Saturday 00:45, and the start.
STARTS_S = (0, 45_900, 56_700, 63_900, 78_300, 391_500)


class Setting(msgspec.Struct, frozen=True):
    """What a world is made of. `pods` daemons share one store (the memory store stands for Redis:
    `tests/limits` holds both equal) and one cache; `rate` is of faults for each attempt."""

    seed: int
    requests: int
    rate: float = 0.12
    faults: tuple[str, ...] = FAULTS
    length_s: float = 1800.0
    pods: int = 1
    spells: tuple[Spell, ...] = ()
    start_s: int = 0
    routes: tuple[str, ...] = PLAIN

    @classmethod
    def drawn(cls, seed: int, requests: int, rate: float) -> Setting:
        """One to three pods under a sky of their own, somewhere in DeepSeek's week; every other
        world has routes that hand reasoning over and that hedge."""
        rng = random.Random(f"setting {seed}")
        length_s = rng.choice((300.0, 900.0, 1800.0))
        keys = {provider: keys_of(provider) for provider in HOSTS}
        return cls(
            seed=seed,
            requests=requests,
            rate=rate,
            length_s=length_s,
            pods=rng.choice((1, 2, 3)),
            spells=tuple(forecast(rng, keys, length_s)),
            start_s=rng.choice(STARTS_S),
            routes=rng.choice((PLAIN, RICH)),
        )


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

    @property
    def began_s(self) -> float:
        return self.deadline_s - self.wish.timeout_s


class World:
    """One run of `setting`. `await run()` inside a virtual loop; then all is there to be judged."""

    def __init__(self, setting: Setting) -> None:
        seed = setting.seed
        self.setting = setting
        self.rng = random.Random(f"world {seed}")
        self.clock = virtual.clock()
        self.providers = {name: self._provider(name) for name in HOSTS}
        hosts = {HOSTS[name]: provider for name, provider in self.providers.items()}
        self.transport = FakeTransport(hosts, self.clock)
        self.books = Books()
        self.store = MemoryStore(self.clock)
        self.cache = memory_cache()
        self.cache.shared = setting.pods > 1
        self.resolved: Resolved = resolved()
        self.pods = [self._pod(number) for number in range(setting.pods)]
        self.wishes = [self._wish(number) for number in range(setting.requests)]
        self.outcomes: list[Outcome] = []
        self.left: set[asyncio.Task[object]] = set()

    def _pod(self, number: int) -> Engine:
        name = f"daemon {self.setting.seed}" + (f" pod {number}" if number else "")
        return Engine(
            self.resolved,
            [Key(p, a, k, Secret(SECRET + k)) for p, a, k in KEYS],
            "simulated",
            clock=self.clock,
            rng=random.Random(name),
            store=self.store,
            ledger=self.books,
            prices=PriceBook({}, None, price_rules.rules(self.resolved.config)),
            transports=lambda provider: self.transport,
            cache=self.cache,
        )

    def _provider(self, name: str) -> FakeProvider:
        setting = self.setting
        keys = {
            SECRET + alias: FakeKey(alias, account)
            for provider, account, alias in KEYS
            if provider == name
        }
        quotas = QUOTAS.get(name, ())
        config = ProviderConfig(keys=keys, quotas=quotas, keep=1_000_000, keep_bodies=0)
        seeded = Seeded(setting.seed, setting.rate, setting.faults)
        return FakeProvider(config, self.clock, Skies(seeded, name, setting.spells, self.clock))

    def _wish(self, number: int) -> Wish:
        rng = self.rng
        text = "talk" + " abc" * rng.randrange(1, 60)
        hangs_up = rng.random() < 0.08
        return Wish(
            number=number,
            at_s=rng.uniform(0, self.setting.length_s),
            timeout_s=rng.choice((5.0, 60.0, 300.0, 600.0, 600.0)),
            hangs_up_s=rng.uniform(0, 2.0) if hangs_up else None,
            reattaches=not hangs_up and rng.random() < 0.1,
            completion=Completion(
                model=rng.choice(self.setting.routes),
                messages=(Message(Role.USER, (Text(text),)),),
                reasoning=ReasoningOptions(deliver=rng.random() > 0.15),
                priority=rng.choice(tuple(Priority)),
                caller=rng.choice(("red", "green", "blue")),
                on_interruption=rng.choice((None, None, None, *OnInterruption)),
            ),
        )

    async def run(self) -> None:
        """Let everybody come and go, then end the daemons."""
        for pod in self.pods:
            pod.start()
        weather = [asyncio.create_task(self._spell(spell)) for spell in self.setting.spells]
        async with asyncio.TaskGroup() as group:
            for wish in self.wishes:
                group.create_task(self._caller(wish), name=f"caller {wish.number}")
        for task in weather:
            task.cancel()
        for pod in self.pods:
            await pod.aclose()
        await self.transport.aclose()
        await asyncio.sleep(0)
        self.left = asyncio.all_tasks() - {asyncio.current_task()}

    async def _spell(self, spell: Spell) -> None:
        """Begin and end what a script cannot: refused connections, revoked keys."""
        provider, host = self.providers[spell.provider], HOSTS[spell.provider]
        await asyncio.sleep(spell.since_s)
        if spell.kind == "gone":
            self.transport.down.add(host)
        elif spell.kind == "revoked":
            provider.revoke(spell.key)
        await asyncio.sleep(spell.until_s - spell.since_s)
        if spell.kind == "gone":
            self.transport.down.discard(host)
        elif spell.kind == "revoked":
            provider.restore(spell.key)

    async def _caller(self, wish: Wish) -> None:
        await asyncio.sleep(wish.at_s)
        outcome = Outcome(wish, f"request-{wish.number}")
        self.outcomes.append(outcome)
        now = self.clock.now()
        outcome.deadline_s = now + wish.timeout_s
        request = Request(outcome.request_id, wish.completion, outcome.deadline_s, now)
        pod = self.pods[wish.number % len(self.pods)]
        try:
            async with asyncio.timeout(wish.hangs_up_s):
                if wish.reattaches:
                    await self._in_two_parts(pod, outcome, request)
                else:
                    await self._collect(outcome, self._begin(pod, request))
        except RequestFailed as error:
            outcome.error = error
        except TimeoutError:
            outcome.hung_up = True
        outcome.ended_s = self.clock.now()

    def _begin(
        self, pod: Engine, request: Request, past: Sequence[Event] = ()
    ) -> AsyncGenerator[Event, None]:
        gateway: Gateway = pod.gateway
        completion = request.completion
        trace = Telemetry.disabled().request(
            method="m", model=completion.model, streaming=True, now_ns=self.clock.wall_ns()
        )
        return gateway.stream(request, trace, past)

    async def _collect(
        self, outcome: Outcome, events: AsyncGenerator[Event, None], most: int = 1 << 30
    ) -> None:
        async with aclosing(events):
            async for event in events:
                outcome.events.append(event)
                if len(outcome.events) >= most:
                    return

    async def _in_two_parts(self, pod: Engine, outcome: Outcome, request: Request) -> None:
        """Read a few events, hang up, come back with after_sequence."""
        digest = hashlib.blake2b(request.id.encode(), digest_size=16).digest()
        journals = pod.journals
        first = journals.attach(request.id, digest, 0, lambda past: self._begin(pod, request, past))
        await self._collect(outcome, first, most=self.rng.randrange(1, 12))
        if outcome.events and isinstance(outcome.events[-1], Completed):
            return
        # In time to read on: who comes back after its own deadline breaks no promise of ours.
        left_s = outcome.deadline_s - self.clock.now()
        await asyncio.sleep(self.rng.uniform(0, min(3.0, max(left_s, 0.0))))
        after = len(outcome.events)
        # Perhaps by way of another pod: the service's, or whatever stands between, has moved.
        pod = self.rng.choice(self.pods)
        again = pod.journals.attach(
            request.id, digest, after, lambda past: self._begin(pod, request, past)
        )
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
