"""LiteLLM's proxy and Portkey's gateway between the daemon and the fake provider."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from headway import HeadwayError, Result

from sidecar.testing import ProviderConfig, running_provider
from tests.upstreams.bench import CUT_BYTES, Bench, bench, short_folder
from tests.upstreams.servers import MASTER_KEY, litellm, portkey

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

MODEL = "fake-reasoner-12-40"
# What is behind Portkey's gateway is said by headers. As "openai" it leaves events alone; its
# own reading of DeepSeek's loses how many tokens were reasoning.
BEHIND = "x-portkey-provider"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["litellm", "portkey"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Bench]]:
    name = request.param
    with short_folder() as folder:
        async with running_provider(ProviderConfig(pace_s=0.002)) as fake:
            if name == "litellm":
                server = litellm(folder, fake.base_url)
                provider: dict[str, object] = {}
            else:
                server = portkey()
                host = f"{fake.base_url}/v1"
                provider = {"headers": {BEHIND: "openai", "x-portkey-custom-host": host}}
            async with (
                server as url,
                bench(folder, name, provider, url, MASTER_KEY, fake.base_url) as made,
            ):
                yield name, made


def same_texts(got: Result, wanted: Result) -> None:
    assert got.reasoning == wanted.reasoning
    assert got.answer == wanted.answer


async def test_a_stream_is_exact(gateway: tuple[str, Bench]) -> None:
    name, through = gateway
    direct = await through.ask(f"deepseek/{MODEL}")
    got = await through.ask(f"{name}/{MODEL}")
    assert got.reasoning
    assert got.answer
    same_texts(got, direct)
    assert got.finish_reason == direct.finish_reason
    assert got.usage == direct.usage


async def test_tool_calls_come_through(gateway: tuple[str, Bench]) -> None:
    name, through = gateway
    direct = await through.ask("deepseek/fake-tools-6-2")
    got = await through.ask(f"{name}/fake-tools-6-2")
    assert len(got.tool_calls) == 2
    assert [(c.name, c.parsed()) for c in got.tool_calls] == [
        (c.name, c.parsed()) for c in direct.tool_calls
    ]
    assert got.finish_reason == direct.finish_reason


async def test_a_cut_in_the_middle_is_recovered(gateway: tuple[str, Bench]) -> None:
    name, through = gateway
    direct = await through.ask(f"deepseek/{MODEL}")
    before = through.wire.cuts
    through.wire.cut_after.append(CUT_BYTES)
    got = await through.ask(f"{name}/{MODEL}")
    assert through.wire.cuts == before + 1
    assert len(got.attempts) == 2
    same_texts(got, direct)


async def test_a_prompt_that_is_too_long_is_told_as_such(gateway: tuple[str, Bench]) -> None:
    name, through = gateway
    with pytest.raises(HeadwayError) as raised:
        await through.ask(f"{name}/fake-20+refuse-context")
    assert raised.value.reason == "CONTEXT_TOO_LONG"
