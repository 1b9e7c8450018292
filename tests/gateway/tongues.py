"""The whole gateway in virtual time before one fake provider, spoken to in every dialect."""

from __future__ import annotations

import random

from sidecar.app.engine import Engine
from sidecar.cache.store import Cache, memory_cache
from sidecar.config import prices as price_rules
from sidecar.config.load import parse
from sidecar.config.resolve import resolve
from sidecar.core.events import Event
from sidecar.core.request import Completion, Message, Request, Role, Text, Tool, ToolUse
from sidecar.core.transcript import Transcript
from sidecar.keys.ring import Key
from sidecar.keys.secret import Secret
from sidecar.ledger.prices import PriceBook
from sidecar.limits.memory import MemoryStore
from sidecar.providers.table import DIALECTS, PROFILES
from sidecar.telemetry import Telemetry
from sidecar.testing import FakeProvider, FakeTransport, ProviderConfig, virtual
from tests.gateway.house import collected
from tests.simulation.books import Books

# Where the fake provider speaks as each of these built-in providers does.
PATHS = {
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    "openai-responses": "v1",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "gemini-interactions": "gemini",
    "ollama": "ollama",
}
CONFIG = """
  {name}:
    base_url: http://fake/{path}
    accounts: {{main: {{keys: [{{name: k, env: K}}]}}}}
    models: {{"fake-*": {{reasoning: true, price: {{input: 1.0, output: 4.0}}{more}}}}}
"""
# What the models of a provider are known for that a fake's name does not say.
MORE = {
    "anthropic": ", quirks: {budget_path: thinking.budget_tokens, "
    "budget_body: {thinking: {type: enabled}}, thinks_by_default: true, "
    "body: {thinking: {type: enabled, budget_tokens: 1024}}}",
    "gemini": ", quirks: {signed_calls: true, thinks_by_default: true}",
    "openai-responses": ", quirks: {thinks_by_default: true}",
    "openrouter": ", quirks: {thinks_by_default: true}",
}
TOOL = Tool("get_departures", parameters={"type": "object", "properties": {}})
ASKED = Message(Role.USER, (Text("When does the next train leave?"),))


class Tongues:
    """Everything in it is real but the provider and the sockets."""

    def __init__(self, cache: Cache | None = None) -> None:
        self.clock = virtual.clock()
        blocks = [
            CONFIG.format(name=name, path=path, more=MORE.get(name, ""))
            for name, path in PATHS.items()
        ]
        self.resolved = resolve(parse("providers:" + "".join(blocks)), PROFILES, set(DIALECTS))
        rules = price_rules.rules(self.resolved.config)
        prices = {"*": rules[0].price}
        self.fake = FakeProvider(ProviderConfig(prices=prices), self.clock)  # type: ignore[arg-type]
        self.transport = FakeTransport({"fake": self.fake}, self.clock)
        self.engine = Engine(
            self.resolved,
            [Key(name, "main", "k", Secret("sk-k")) for name in PATHS],
            "test",
            clock=self.clock,
            rng=random.Random(1),
            store=MemoryStore(self.clock),
            ledger=Books(),
            prices=PriceBook({}, None, rules),
            transports=lambda provider: self.transport,
            cache=cache or memory_cache(),
        )

    async def ask(self, model: str, *messages: Message, **more: object) -> list[Event]:
        """All events of one request. Raises its RequestFailed."""
        completion = Completion(model, messages or (ASKED,), **more)  # type: ignore[arg-type]
        now = self.clock.now()
        request = Request(f"r-{now}", completion, now + 600.0, now)
        trace = Telemetry.disabled().request(
            method="m", model=model, streaming=True, now_ns=self.clock.wall_ns()
        )
        return await collected(self.engine.gateway.stream(request, trace))

    def body(self, number: int = -1) -> dict[str, object]:
        """What the provider was sent: by default the last request's body."""
        body = self.fake.log[number].body
        assert body is not None
        return body

    async def aclose(self) -> None:
        await self.engine.aclose()
        await self.transport.aclose()


def told(events: list[Event]) -> Transcript:
    """What a stream said, put together."""
    transcript = Transcript()
    for event in events[1:-1]:
        transcript.add(event)  # type: ignore[arg-type]
    return transcript


def naive(said: Transcript) -> Message:
    """The assistant's turn as a client keeps it that knows of neither reasoning nor signatures."""
    return Message(Role.ASSISTANT, (Text(said.answer),), tool_calls=said.tool_calls)


def faithful(said: Transcript) -> Message:
    """The assistant's turn as it came."""
    return Message(
        Role.ASSISTANT,
        (Text(said.answer),),
        reasoning=said.reasoning,
        signature=said.signature,
        tool_calls=said.tool_calls,
    )


def results(calls: tuple[ToolUse, ...]) -> tuple[Message, ...]:
    """What the tools answered."""
    return tuple(
        Message(Role.TOOL, (Text('{"minutes": 4}'),), tool_call_id=call.id) for call in calls
    )
