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
# A thinking model has ended its thoughts by then, and is far from done with its answer.
THINKING_TOKENS = 100
# Where a wire is cut to hit the answer of a thinking model; earlier is among its thoughts.
ANSWER_BYTES = 20_000
QUESTION = "When does it leave?"


@asynccontextmanager
async def serving(kind: str, **provider: Any) -> AsyncIterator[Bench]:
    with short_folder() as folder:
        async with (
            llama(folder, kind) as url,
            bench(folder, "llamacpp", provider, url, MASTER_KEY) as made,
        ):
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Bench]:
    async with serving("plain") as made:
        yield made


# Of the tag that one template opens the server knows nothing; of the other's it does.
THINKERS = {"opened": {"quirks": {"think_tags": "open"}}, "switched": {"resume": "prefix"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(THINKERS))
async def thinker(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with serving(request.param, models={"*": THINKERS[request.param]}) as made:
        yield made


async def said_directly(server: Bench, tokens: int = TOKENS) -> tuple[str, str]:
    """What the model thinks and says to the same question without a daemon, all at once."""
    messages = [{"role": "user", "content": QUESTION}]
    body = {"messages": messages, "temperature": 0, "max_tokens": tokens}
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        reply = await client.post(f"{server.wire.upstream}/chat/completions", json=body)
    message = reply.json()["choices"][0]["message"]
    thought, closed, said = message["content"].rpartition("</think>")
    return (thought, said) if closed else (message.get("reasoning_content") or "", said)


async def asked(server: Bench, tokens: int = TOKENS) -> Result:
    return await server.ask("llamacpp/tiny", QUESTION, temperature=0, max_tokens=tokens)


async def asked_and_cut(server: Bench, at_bytes: int, tokens: int) -> Result:
    before = server.wire.cuts
    server.wire.cut_after.append(at_bytes)
    got = await asked(server, tokens)
    assert server.wire.cuts == before + 1
    return got


async def test_an_answer_is_exact(server: Bench) -> None:
    got = await asked(server)
    assert ("", got.answer) == await said_directly(server)
    assert len(got.answer) == TOKENS
    assert got.reasoning == ""
    assert got.finish_reason is FinishReason.LENGTH
    assert got.usage.output_tokens == TOKENS
    assert not got.usage.estimated


async def test_a_chain_of_thought_is_apart(thinker: Bench) -> None:
    got = await asked(thinker, THINKING_TOKENS)
    assert (got.reasoning, got.answer) == await said_directly(thinker, THINKING_TOKENS)
    assert got.reasoning
    assert got.answer
    # The tag that closes the thoughts is the hundredth.
    assert len(got.reasoning) + len(got.answer) == THINKING_TOKENS - 1
    assert got.finish_reason is FinishReason.LENGTH


async def test_a_chain_of_thought_may_be_all_there_is(thinker: Bench) -> None:
    got = await asked(thinker, 20)
    assert len(got.reasoning) == 20
    assert got.answer == ""
    assert got.finish_reason is FinishReason.LENGTH_IN_REASONING


async def test_a_cut_in_the_middle_is_resumed_word_for_word(server: Bench) -> None:
    got = await asked_and_cut(server, CUT_BYTES, TOKENS)
    assert [attempt.continuation.value for attempt in got.attempts] == ["fresh", "resumed"]
    assert ("", got.answer) == await said_directly(server)


@pytest.mark.parametrize("at_bytes", [CUT_BYTES, ANSWER_BYTES], ids=["reasoning", "answer"])
async def test_a_thinking_model_that_is_cut_goes_on_word_for_word(
    thinker: Bench, at_bytes: int
) -> None:
    """Behind its own thoughts, wherever the template and the server keep them. Few tokens too many
    are asked for then: the server never shows the tag, and a lost attempt is counted by its pieces.
    """
    got = await asked_and_cut(thinker, at_bytes, THINKING_TOKENS)
    assert [attempt.continuation.value for attempt in got.attempts] == ["fresh", "resumed"]
    thought, said = await said_directly(thinker, THINKING_TOKENS)
    assert got.reasoning == thought
    assert got.answer.startswith(said)


async def test_a_thinking_model_of_which_nothing_is_said_loses_its_thoughts() -> None:
    """Nothing is passed for a continuation that is none. Cut in its thoughts it thinks again; cut
    in its answer, the answer goes on as the server itself continues it, its thoughts left out."""
    async with serving("switched") as server:
        thought, said = await said_directly(server, THINKING_TOKENS)
        again = await asked_and_cut(server, CUT_BYTES, THINKING_TOKENS)
        assert [attempt.continuation.value for attempt in again.attempts] == ["fresh", "restarted"]
        assert (again.reasoning, again.answer) == (thought, said)
        got = await asked_and_cut(server, ANSWER_BYTES, THINKING_TOKENS)
        assert [attempt.continuation.value for attempt in got.attempts] == ["fresh", "resumed"]
        assert got.reasoning == thought
        same = [one == other for one, other in zip(got.answer, said, strict=False)].index(False)
        kept, more = said[:same], got.answer[same:]
        assert more
        assert (await continued_directly(server, kept)).startswith(more)


async def continued_directly(server: Bench, kept: str) -> str:
    """What the server makes of an answer that has begun, without a daemon."""
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": kept}]
    body: dict[str, Any] = {"messages": turns, "temperature": 0, "max_tokens": THINKING_TOKENS}
    body["chat_template_kwargs"] = {"enable_thinking": False}
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        reply = await client.post(f"{server.wire.upstream}/chat/completions", json=body)
    # Where it does not stream, the server repeats the prefill.
    return str(reply.json()["choices"][0]["message"]["content"]).removeprefix(kept)


async def test_a_prompt_that_is_too_long_is_told_as_such(server: Bench) -> None:
    with pytest.raises(HeadwayError) as raised:
        await server.ask("llamacpp/tiny", "word " * 600)
    assert raised.value.reason == "CONTEXT_TOO_LONG"
