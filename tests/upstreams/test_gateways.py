"""LiteLLM's proxy and Portkey's gateway between the daemon and the fake provider."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
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
# On models of this tag a finish counts only with the usage of a provider that itemises it.
PROVEN = {"*#proven*": {"quirks": {"whole_usage": ["prompt_tokens_details"]}}}


class Gateway(NamedTuple):
    """`headers` are what it wants of anybody who asks it directly."""

    name: str
    through: Bench
    headers: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["litellm", "portkey"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    name = request.param
    with short_folder() as folder:
        async with running_provider(ProviderConfig(pace_s=0.002)) as fake:
            if name == "litellm":
                server = litellm(folder, fake.base_url)
                headers = {}
            else:
                server = portkey()
                headers = {BEHIND: "openai", "x-portkey-custom-host": f"{fake.base_url}/v1"}
            provider = {"headers": headers, "models": PROVEN}
            async with (
                server as url,
                bench(folder, name, provider, url, MASTER_KEY, fake.base_url) as made,
            ):
                yield Gateway(name, made, {**headers, "authorization": f"Bearer {MASTER_KEY}"})


def same_texts(got: Result, wanted: Result) -> None:
    assert got.reasoning == wanted.reasoning
    assert got.answer == wanted.answer


async def test_a_stream_is_exact(gateway: Gateway) -> None:
    name, through, _ = gateway
    direct = await through.ask(f"deepseek/{MODEL}")
    got = await through.ask(f"{name}/{MODEL}")
    assert got.reasoning
    assert got.answer
    same_texts(got, direct)
    assert got.finish_reason == direct.finish_reason
    assert got.usage == direct.usage


async def test_tool_calls_come_through(gateway: Gateway) -> None:
    name, through, _ = gateway
    direct = await through.ask("deepseek/fake-tools-6-2")
    got = await through.ask(f"{name}/fake-tools-6-2")
    assert len(got.tool_calls) == 2
    assert [(c.name, c.parsed()) for c in got.tool_calls] == [
        (c.name, c.parsed()) for c in direct.tool_calls
    ]
    assert got.finish_reason == direct.finish_reason


async def test_a_cut_in_the_middle_is_recovered(gateway: Gateway) -> None:
    name, through, _ = gateway
    direct = await through.ask(f"deepseek/{MODEL}")
    before = through.wire.cuts
    through.wire.cut_after.append(CUT_BYTES)
    got = await through.ask(f"{name}/{MODEL}")
    assert through.wire.cuts == before + 1
    assert len(got.attempts) == 2
    same_texts(got, direct)


async def test_a_prompt_that_is_too_long_is_told_as_such(gateway: Gateway) -> None:
    name, through, _ = gateway
    with pytest.raises(HeadwayError) as raised:
        await through.ask(f"{name}/fake-20+refuse-context")
    assert raised.value.reason == "CONTEXT_TOO_LONG"


# -- the provider behind the gateway dies ----------------------------------------------------

# The gateway tells of these in its own way: an error event, or an end without a finish reason.
DEATHS = (
    *("fake-60+cut-40", "fake-60+rst-40", "fake-60+half-40", "fake-60+stall-40-1"),
    *("fake-60+error-openai-20", "fake-60+error-vllm-20", f"{MODEL}+error-openai-6"),
    *(f"{MODEL}+cut-reasoning-6", f"{MODEL}+rst-reasoning-6", f"{MODEL}+cut-answer-6"),
    *(f"{MODEL}+stall-6-1", "fake-tools-6-2+cut-tool-2"),
)
# A clean end that comes too early. LiteLLM finishes the answer in the provider's stead.
EARLY_ENDS = (
    *("fake-60+eof-40", "fake-60+no-finish", "fake-60+unframed+cut-40"),
    *(f"{MODEL}+eof-reasoning-6", f"{MODEL}+eof-answer-6", "fake-tools-6-2+eof-tool-2"),
)


def calls(got: Result) -> list[tuple[str, Any]]:
    return [(call.name, call.parsed()) for call in got.tool_calls]


async def recovered(gateway: Gateway, model: str, tag: str) -> None:
    """Nothing of the first attempt passes for the whole: a second one, healthy, is made."""
    name, through, _ = gateway
    direct = await through.ask(f"deepseek/{model.partition('+')[0]}")
    got = await through.ask(f"{name}/{model}@1{tag}")
    assert len(got.attempts) == 2
    same_texts(got, direct)
    assert calls(got) == calls(direct)
    assert got.finish_reason == direct.finish_reason


@pytest.mark.parametrize("model", DEATHS)
async def test_a_provider_that_dies_behind_the_gateway_is_noticed(
    gateway: Gateway, model: str
) -> None:
    await recovered(gateway, model, "")


@pytest.mark.parametrize("model", EARLY_ENDS)
async def test_an_early_end_behind_the_gateway_is_noticed_where_the_usage_has_to_prove_the_finish(
    gateway: Gateway, model: str
) -> None:
    await recovered(gateway, model, "#proven")


@pytest.mark.parametrize("model", ["fake-60", MODEL, "fake-tools-6-2"])
async def test_a_whole_answer_proves_its_finish(gateway: Gateway, model: str) -> None:
    name, through, _ = gateway
    direct = await through.ask(f"deepseek/{model}")
    got = await through.ask(f"{name}/{model}#proven")
    assert len(got.attempts) == 1
    same_texts(got, direct)
    assert calls(got) == calls(direct)
    assert got.usage == direct.usage


@pytest.mark.parametrize("model", ["fake-60+cut-40", "fake-60+eof-40#proven"])
async def test_a_provider_that_always_dies_is_an_error_with_what_was_said(
    gateway: Gateway, model: str
) -> None:
    name, through, _ = gateway
    direct = await through.ask("deepseek/fake-60")
    with pytest.raises(HeadwayError) as raised:
        await through.ask(f"{name}/{model}")
    assert raised.value.reason == "STREAM_BROKEN"
    assert raised.value.result is not None
    assert 0 < len(raised.value.result.answer) < len(direct.answer)
    assert direct.answer.startswith(raised.value.result.answer)


@pytest.mark.parametrize(
    ("dead", "whole"),
    [
        ("fake-60+eof-40", "fake-40+no-usage"),
        ("fake-60+no-finish", "fake-60+no-usage"),
        ("fake-60+error-deepseek-20", "fake-20"),
        ("fake-60+error-finish-20", "fake-20"),
    ],
)
async def test_litellm_makes_of_an_early_end_what_nobody_can_tell_from_a_whole_answer(
    gateway: Gateway, dead: str, whole: str
) -> None:
    """Byte for byte, but for names and times: an end without a finish reason as that of a provider
    that tells no usage, and a finish reason of failure as `stop`. Portkey shows them as they are.
    """
    said = await raw(gateway, dead)
    assert said
    assert (said == await raw(gateway, whole)) == (gateway.name == "litellm")


async def raw(gateway: Gateway, model: str) -> list[Any]:
    """The events of a stream without the daemon, without what differs in every stream."""
    question = {"role": "user", "content": "When does it leave?"}
    body = {"model": model, "messages": [question], "stream": True}
    body["stream_options"] = {"include_usage": True}
    url = f"{gateway.through.wire.upstream}/chat/completions"
    async with httpx.AsyncClient(timeout=60, trust_env=False, headers=gateway.headers) as client:
        reply = await client.post(url, json=body)
    events = [event.removeprefix("data: ") for event in reply.text.split("\n\n") if event]
    return [_same(json.loads(event)) if event[:1] == "{" else event for event in events]


def _same(chunk: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in chunk.items() if key not in ("id", "created", "model")}
