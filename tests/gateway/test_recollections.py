"""Reasoning that comes back by itself: a naive client's second turn, in every dialect."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from sidecar.cache.store import Cache, memory_cache
from sidecar.core.failure import RequestFailed
from sidecar.core.request import Message, ReasoningOptions, Role, Text
from sidecar.core.transcript import Transcript
from sidecar.gateway.recollections import RecollectionPolicy, Recollections
from sidecar.keys.ring import Key
from sidecar.keys.secret import Secret
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import completed
from tests.gateway.tongues import ASKED, TOOL, Tongues, faithful, naive, results, told

MODEL = "fake-tools-6-2+demand"
SIGNING = ("openrouter", "openai-responses", "anthropic", "gemini", "gemini-interactions")
DEMANDING = ("deepseek", *SIGNING)


async def first_turn(house: Tongues, provider: str, **more: object) -> Transcript:
    events = await house.ask(f"{provider}/{MODEL}", tools=(TOOL,), **more)
    assert completed(events).finish_reason.value == "tool_calls"
    return told(events)


async def second_turn(
    house: Tongues, provider: str, turn: Message, model: str = MODEL, **more: object
) -> Transcript:
    history = (ASKED, turn, *results(turn.tool_calls))
    return told(await house.ask(f"{provider}/{model}", *history, tools=(TOOL,), **more))


def forgetful(house: Tongues) -> None:
    """The daemon keeps nothing."""
    policy = RecollectionPolicy(most_turn_bytes=0)
    parts = house.engine.parts
    house.engine.gateway.parts = replace(
        parts, recollections=Recollections(house.clock, memory_cache(), policy)
    )


@in_virtual_time
@pytest.mark.parametrize("provider", DEMANDING)
async def test_the_second_turn_of_a_naive_client_is_answered(provider: str) -> None:
    house = Tongues()
    said = await first_turn(house, provider)
    assert (await second_turn(house, provider, naive(said))).answer
    await house.aclose()


@in_virtual_time
@pytest.mark.parametrize("provider", DEMANDING)
async def test_a_naive_client_s_second_turn_looks_like_a_faithful_client_s(provider: str) -> None:
    house = Tongues()
    said = await first_turn(house, provider)
    await second_turn(house, provider, faithful(said))
    await second_turn(house, provider, naive(said))
    assert house.body(-1) == house.body(-2)
    await house.aclose()


@in_virtual_time
async def test_a_server_that_demands_nothing_gets_the_text_of_a_tool_turn_too() -> None:
    house = Tongues()
    said = await first_turn(house, "ollama")
    await second_turn(house, "ollama", naive(said))
    assert said.reasoning in str(house.body())
    await house.aclose()


@in_virtual_time
@pytest.mark.parametrize("provider", ["openrouter", "openai-responses", "gemini-interactions"])
async def test_a_demanding_provider_does_refuse_what_was_not_kept(provider: str) -> None:
    house = Tongues()
    forgetful(house)
    said = await first_turn(house, provider)
    with pytest.raises(RequestFailed, match=r"reasoning|thought_signature"):
        await second_turn(house, provider, naive(said))
    await house.aclose()


@in_virtual_time
@pytest.mark.parametrize("provider", SIGNING)
async def test_reasoning_that_the_caller_did_not_want_to_see_comes_back_too(provider: str) -> None:
    house = Tongues()
    hidden = ReasoningOptions(deliver=False)
    said = await first_turn(house, provider, reasoning=hidden)
    assert (said.reasoning, said.signature) == ("", "")
    assert (await second_turn(house, provider, naive(said), reasoning=hidden)).answer
    await house.aclose()


@in_virtual_time
@pytest.mark.parametrize("provider", DEMANDING)
async def test_what_a_caller_sends_itself_is_not_replaced(provider: str) -> None:
    house = Tongues()
    said = await first_turn(house, provider)
    own = replace(naive(said), reasoning="my own words", signature="hw1.openai-chat:[]")
    await house.ask(f"{provider}/fake-3", ASKED, own, *results(own.tool_calls), tools=(TOOL,))
    assert said.reasoning not in str(house.body())
    await house.aclose()


@in_virtual_time
async def test_a_chain_of_thought_that_was_edited_is_not_signed_with_the_old_signature() -> None:
    house = Tongues()
    said = await first_turn(house, "anthropic")
    own = replace(naive(said), reasoning="quite another thought")
    await house.ask("anthropic/fake-3", ASKED, own, *results(own.tool_calls), tools=(TOOL,))
    assert "signature" not in str(house.body())
    await house.aclose()


@in_virtual_time
@pytest.mark.parametrize("maker", DEMANDING)
@pytest.mark.parametrize("taker", [*DEMANDING, "ollama"])
async def test_a_turn_that_moves_to_another_provider_carries_no_foreign_state(
    maker: str, taker: str
) -> None:
    if maker == taker:
        return
    house = Tongues()
    said = await first_turn(house, maker)
    await second_turn(house, taker, naive(said), "fake-tools-6-2")
    sent = str(house.body())
    assert "fake-seal-" not in sent
    assert said.reasoning not in sent
    await house.aclose()


@in_virtual_time
async def test_another_caller_gets_nothing_of_it() -> None:
    house = Tongues()
    said = await first_turn(house, "deepseek", caller="mine")
    await second_turn(house, "deepseek", naive(said), caller="yours")
    assert said.reasoning not in str(house.body())
    await second_turn(house, "deepseek", naive(said), caller="mine")
    assert said.reasoning in str(house.body())
    await house.aclose()


@in_virtual_time
async def test_another_model_of_the_provider_gets_nothing_of_it() -> None:
    house = Tongues()
    said = await first_turn(house, "anthropic")
    await second_turn(house, "anthropic", naive(said), "fake-tools-6-2")
    assert "fake-seal-" not in str(house.body())
    await house.aclose()


@in_virtual_time
async def test_another_pod_with_the_same_cache_puts_it_back() -> None:
    cache = memory_cache()
    here, there = Tongues(cache), Tongues(cache)
    said = await first_turn(here, "anthropic")
    assert (await second_turn(there, "anthropic", naive(said))).answer
    assert "fake-seal-" in str(there.body())
    await here.aclose()
    await there.aclose()


@in_virtual_time
async def test_after_an_hour_it_is_forgotten() -> None:
    house = Tongues()
    said = await first_turn(house, "deepseek")
    await asyncio.sleep(3601.0)
    await second_turn(house, "deepseek", naive(said))
    assert said.reasoning not in str(house.body())
    await house.aclose()


@in_virtual_time
async def test_arguments_that_a_client_wrote_anew_are_known_again() -> None:
    house = Tongues()
    said = await first_turn(house, "deepseek")
    turn = naive(said)
    calls = tuple(replace(c, arguments=c.arguments.replace(": ", ":")) for c in turn.tool_calls)
    assert calls != turn.tool_calls
    await second_turn(house, "deepseek", replace(turn, tool_calls=calls))
    assert said.reasoning in str(house.body())
    await house.aclose()


@in_virtual_time
async def test_a_turn_without_tools_gets_its_signature_back() -> None:
    house = Tongues()
    said = told(await house.ask("anthropic/fake-reasoner-5-5"))
    more = Message(Role.USER, (Text("And after that?"),))
    await house.ask("anthropic/fake-reasoner-5-5", ASKED, naive(said), more)
    first: Any = house.body()["messages"][1]["content"][0]  # type: ignore[index]
    assert (first["type"], first["thinking"]) == ("thinking", said.reasoning)
    await house.aclose()


@in_virtual_time
async def test_the_same_answer_in_another_conversation_gets_none() -> None:
    house = Tongues()
    said = told(await house.ask("anthropic/fake-reasoner-5-5"))
    other = Message(Role.USER, (Text("Quite another question"),))
    await house.ask("anthropic/fake-reasoner-5-5", other, naive(said), ASKED)
    assert "fake-seal-" not in str(house.body())
    await house.aclose()


def recollections(house: Tongues) -> Recollections:
    return house.engine.parts.recollections


@in_virtual_time
async def test_what_is_kept_is_bounded_and_the_oldest_gives_way() -> None:
    house = Tongues()
    said = await first_turn(house, "deepseek")
    size = recollections(house).total_bytes
    kept = Recollections(house.clock, memory_cache(), RecollectionPolicy(most_bytes=2 * size))
    house.engine.gateway.parts = replace(house.engine.parts, recollections=kept)
    for station in "abcd":
        asked = Message(Role.USER, (Text(station),))
        await house.ask(f"deepseek/{MODEL}", asked, tools=(TOOL,))
    assert kept.total_bytes == 2 * size
    for station, there in (("a", False), ("d", True)):
        asked = Message(Role.USER, (Text(station),))
        turn = naive(said)
        await house.ask(f"deepseek/{MODEL}", asked, turn, *results(turn.tool_calls), tools=(TOOL,))
        assert (said.reasoning in str(house.body())) is there
    await house.aclose()


@in_virtual_time
async def test_a_plain_answer_is_not_kept_at_all() -> None:
    house = Tongues()
    await house.ask("deepseek/fake-reasoner-5-5")
    assert recollections(house).total_bytes == 0
    await house.aclose()


@in_virtual_time
async def test_another_account_gets_back_what_it_can_read() -> None:
    house = Tongues()
    said = await first_turn(house, "anthropic")
    house.engine.ring.replace([Key("anthropic", "another", "k", Secret("sk-k"))])
    await second_turn(house, "anthropic", naive(said))
    assert "fake-seal-" in str(house.body())
    await house.aclose()


@in_virtual_time
async def test_another_account_gets_nothing_that_only_its_maker_can_open() -> None:
    house = Tongues()
    said = await first_turn(house, "openai-responses")
    house.engine.ring.replace([Key("openai-responses", "another", "k", Secret("sk-k"))])
    with pytest.raises(RequestFailed, match="reasoning"):
        await second_turn(house, "openai-responses", naive(said))
    assert "fake-seal-" not in str(house.body())
    await house.aclose()


@in_virtual_time
@pytest.mark.parametrize(
    "policy",
    [
        RecollectionPolicy(on=False),
        RecollectionPolicy(keep_s=0.0),
        RecollectionPolicy(most_bytes=0),
    ],
)
async def test_switched_off_nothing_goes_into_the_cache(policy: RecollectionPolicy) -> None:
    house, cache = Tongues(), Watched()
    kept = Recollections(house.clock, cache, policy)
    house.engine.gateway.parts = replace(house.engine.parts, recollections=kept)
    await first_turn(house, "deepseek")
    assert cache.written == []
    assert kept.total_bytes == 0
    await house.aclose()


@in_virtual_time
async def test_switched_off_what_was_kept_before_is_not_put_back() -> None:
    house, cache = Tongues(), memory_cache()
    recollecting(house, cache, on=True)
    said = await first_turn(house, "deepseek")
    await second_turn(house, "deepseek", naive(said))
    assert said.reasoning in str(house.body())
    recollecting(house, cache, on=False)
    await second_turn(house, "deepseek", naive(said))
    assert said.reasoning not in str(house.body())
    await house.aclose()


def recollecting(house: Tongues, cache: Cache, *, on: bool) -> None:
    kept = Recollections(house.clock, cache, RecollectionPolicy(on=on))
    house.engine.gateway.parts = replace(house.engine.parts, recollections=kept)


class Watched(Cache):
    """A cache in memory that tells what was put into it."""

    def __init__(self) -> None:
        super().__init__(memory_cache())  # a cache answers to the same names as its backend
        self.written: list[str] = []

    async def set(self, key: str, data: bytes, ttl_s: float) -> bool:
        self.written.append(key)
        return True
