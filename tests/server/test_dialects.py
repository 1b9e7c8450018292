"""One daemon, one fake provider, every dialect: as a user tries them, over sockets."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway import AsyncClient, Result

from sidecar.providers.table import DIALECTS, PROFILES
from sidecar.testing import RunningProvider, written
from tests.support.configs import PRICE, Config
from tests.support.fixtures import Start
from tests.testing.test_against_the_decoders import BASES, HIDDEN

pytestmark = pytest.mark.process

WHOLE = written(0, 9, 8)
# Whose tool turns must bring their reasoning back, and who signs it.
DEMANDING = (
    *("deepseek", "openrouter", "anthropic", "openai-responses"),
    *("gemini", "gemini-interactions"),
)
TOOL = {"name": "get_departures", "parameters": {"type": "object", "properties": {}}}
ASKED = {"role": "user", "content": "When does the next train leave?"}


def config(folder: Path, base_url: str) -> Config:
    """Every provider of the fake's, each where the fake speaks as it does."""
    account = {"keys": [{"name": "k1", "env": "DEEPSEEK_KEY"}]}
    return {
        "listen": [f"unix://{folder / 'headway.sock'}"],
        "providers": {
            name: {
                "base_url": base_url + base.removesuffix("/v1" if name == "anthropic" else "///"),
                "accounts": {"main": account},
                "models": {"fake-*": {"reasoning": True, "price": PRICE}},
            }
            for name, base in BASES.items()
        },
    }


async def naive(client: AsyncClient, model: str) -> Result:
    """Ask with a tool, and answer its call with a turn that has lost all but the call itself."""
    first = await client.complete(model, [ASKED], tools=[TOOL], reasoning="high")
    (call,) = first.tool_calls
    made = {"id": call.id, "name": call.name, "arguments": call.arguments}
    history = [
        ASKED,
        {"role": "assistant", "content": first.answer, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": call.id, "content": '{"minutes": 4}'},
    ]
    return await client.complete(model, history, tools=[TOOL], reasoning="high")


def test_the_fake_speaks_every_dialect_there_is() -> None:
    assert {PROFILES[name].dialect for name in BASES} == set(DIALECTS)


async def test_every_dialect_streams_reasoning_and_answer_apart_and_is_billed_alike(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    async with daemon.client() as client:
        for name in BASES:
            model = f"{name}/fake-reasoner-9-8"
            result = await client.complete(model, "Two words", reasoning="high")
            reasoning = "" if name in HIDDEN else WHOLE.reasoning
            assert (name, result.reasoning, result.answer) == (name, reasoning, WHOLE.answer)
            assert (name, result.usage.output_tokens) == (name, 17)
            billed = provider.log[-1].cost.total_nano_usd
            assert (name, result.cost.total_nano_usd) == (name, billed)


async def test_a_naive_clients_second_turn_with_tools_is_answered_in_every_dialect(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    async with daemon.client() as client:
        for name in set(BASES) - {"typed-event"}:  # which knows no tools
            demand = "+demand" if name in DEMANDING else ""
            result = await naive(client, f"{name}/fake-tools-6-1{demand}")
            assert (name, bool(result.answer)) == (name, True)


async def test_what_was_left_out_and_the_providers_id_reach_the_caller(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url))
    async with daemon.client() as client:
        result = await client.complete("deepseek/fake-reasoner-3-3", "Two", temperature=0.3)
        (attempt,) = result.attempts
        assert attempt.dropped_options == ("temperature",)
        assert attempt.provider_trace == "fake-00000001"
        assert attempt.provider_cost_nano_usd is None
        result = await client.complete("openrouter/fake-reasoner-3-3", "Two")
        assert result.attempts[0].provider_cost_nano_usd == result.cost.total_nano_usd
