"""llama.cpp's own server, with a tiny model of random weights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from headway import FinishReason, HeadwayError, Result

from tests.upstreams.bench import CUT_BYTES, Bench, bench, short_folder
from tests.upstreams.servers import MASTER_KEY, llama

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

TOKENS = 60
QUESTION = "When does it leave?"


@asynccontextmanager
async def serving(mode: str, **provider: Any) -> AsyncIterator[Bench]:
    with short_folder() as folder:
        async with (
            llama(folder, mode) as url,
            bench(folder, "llamacpp", provider, url, MASTER_KEY) as made,
        ):
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Bench]:
    async with serving("plain") as made:
        yield made


async def said_directly(server: Bench) -> str:
    """What the model says to the same question without a daemon, all at once."""
    messages = [{"role": "user", "content": QUESTION}]
    body = {"messages": messages, "temperature": 0, "max_tokens": TOKENS}
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        reply = await client.post(f"{server.wire.upstream}/chat/completions", json=body)
    return str(reply.json()["choices"][0]["message"]["content"])


async def asked(server: Bench) -> Result:
    return await server.ask("llamacpp/tiny", QUESTION, temperature=0, max_tokens=TOKENS)


async def test_an_answer_is_exact(server: Bench) -> None:
    got = await asked(server)
    assert got.answer == await said_directly(server)
    assert len(got.answer) == TOKENS
    assert got.reasoning == ""
    assert got.finish_reason is FinishReason.LENGTH
    assert got.usage.output_tokens == TOKENS
    assert not got.usage.estimated


async def test_a_chain_of_thought_is_apart() -> None:
    """The template opens the tag, which the server does not tell, and the model never closes it."""
    models = {"*": {"quirks": {"think_tags": "open"}}}
    async with serving("thinking", models=models) as server:
        got = await asked(server)
        assert got.reasoning == await said_directly(server)
    assert len(got.reasoning) == TOKENS
    assert got.answer == ""
    assert got.finish_reason is FinishReason.LENGTH_IN_REASONING


async def test_a_cut_in_the_middle_is_resumed_word_for_word(server: Bench) -> None:
    before = server.wire.cuts
    server.wire.cut_after.append(CUT_BYTES)
    got = await asked(server)
    assert server.wire.cuts == before + 1
    assert [attempt.continuation.value for attempt in got.attempts] == ["fresh", "resumed"]
    assert got.answer == await said_directly(server)


async def test_a_prompt_that_is_too_long_is_told_as_such(server: Bench) -> None:
    with pytest.raises(HeadwayError) as raised:
        await server.ask("llamacpp/tiny", "word " * 600)
    assert raised.value.reason == "CONTEXT_TOO_LONG"
