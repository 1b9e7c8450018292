"""Streams that break, through the real client: exact text, the seam rule, and the whole bill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from headway import Attempt, Continuation, HeadwayError, Result

from sidecar.testing import RunningProvider, written
from tests.support.configs import config, deepseek
from tests.support.daemon import Daemon
from tests.support.fixtures import Start

pytestmark = pytest.mark.process

TEXT = written(0, 20, 20)
TOOLS = [{"name": "get_departures", "description": "", "parameters": {"type": "object"}}]


async def ask(
    start: Start, folder: Path, provider: RunningProvider, *targets: str, **options: Any
) -> tuple[Result, list[Attempt], Daemon]:
    """The result of one stream over `targets`, its attempt events, and the daemon, ended."""
    daemon = await start(config(folder, provider.base_url, *targets))
    async with daemon.client() as client:
        stream = client.stream("default", "When does it leave?", timeout_s=30.0, **options)
        attempts = [event async for event in stream if isinstance(event, Attempt)]
    assert await daemon.terminate() == 0
    return stream.result, attempts, daemon


def assert_billed(result: Result, daemon: Daemon, provider: RunningProvider) -> None:
    """Caller, ledger and provider have the same sum, and the lost attempt its share of it."""
    rows = daemon.rows()
    cost = sum(
        row["input_nano_usd"] + row["reasoning_nano_usd"] + row["answer_nano_usd"] for row in rows
    )
    assert cost == result.cost.total_nano_usd
    assert [row["attempt"] for row in rows] == [a.number for a in result.attempts]
    lost = [row for row in rows if row["outcome"] == "interrupted"]
    assert lost
    for row in lost:
        assert row["input_nano_usd"] > 0
    # The input of a lost attempt is an estimate, nobody told it; the output was seen.
    told = [entry.usage.output_tokens for entry in provider.log]
    assert [row["output_tokens"] for row in rows] == told


async def test_a_stream_cut_in_reasoning_is_resumed_without_a_word_lost(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    result, attempts, daemon = await ask(
        start, folder, provider, "deepseek/fake-reasoner-20-20+cut-reasoning-10@1"
    )
    assert (result.reasoning, result.answer) == (TEXT.reasoning, TEXT.answer)
    first, second = attempts
    assert second.continuation is Continuation.RESUMED
    assert second.discard_after_sequence > first.discard_after_sequence
    assert_billed(result, daemon, provider)


async def test_a_stream_cut_in_reasoning_is_restarted_where_no_prefix_is_taken(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    result, attempts, daemon = await ask(
        start,
        folder,
        provider,
        "other/fake-reasoner-20-20+cut-reasoning-10",
        "other/fake-reasoner-20-20#next",
    )
    assert (result.reasoning, result.answer) == (TEXT.reasoning, TEXT.answer)
    last = attempts[-1]
    assert (last.continuation, last.discard_after_sequence) == (Continuation.RESTARTED, 0)
    assert_billed(result, daemon, provider)


async def test_a_stream_cut_in_the_answer_is_resumed_exactly(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    result, attempts, daemon = await ask(
        start, folder, provider, "deepseek/fake-reasoner-20-20+cut-answer-10@1"
    )
    assert (result.reasoning, result.answer) == (TEXT.reasoning, TEXT.answer)
    assert [a.continuation for a in attempts] == [Continuation.FRESH, Continuation.RESUMED]
    assert_billed(result, daemon, provider)


async def test_a_stream_cut_in_the_answer_is_restarted_where_nothing_can_continue_it(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    result, attempts, daemon = await ask(
        start, folder, provider, "other/fake-reasoner-20-20+cut-answer-10@1"
    )
    assert (result.reasoning, result.answer) == (TEXT.reasoning, TEXT.answer)
    last = attempts[-1]
    assert (last.continuation, last.discard_after_sequence) == (Continuation.RESTARTED, 0)
    assert_billed(result, daemon, provider)


async def test_cut_tool_arguments_are_restarted_and_parse(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    result, attempts, daemon = await ask(
        start, folder, provider, "deepseek/fake-tools-10-2+cut-tool-20@1", tools=TOOLS
    )
    assert [call.parsed()["platform"] for call in result.tool_calls] == [1, 2]
    assert attempts[-1].continuation is Continuation.RESTARTED
    assert attempts[-1].discarded.tool_calls == 1
    # The call's name came in an event of its own, which the fake provider does not charge.
    lost, whole = (row["output_tokens"] for row in daemon.rows())
    assert (lost - 1, whole) == tuple(entry.usage.output_tokens for entry in provider.log)


async def test_what_going_on_saved_is_told_to_the_caller_and_in_the_usage(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    daemon = await start(config(folder, provider.base_url, "deepseek/fake-20"))
    async with daemon.client() as client:
        plain = await client.complete("default", "When does it leave?", caller="plain")
        broken = "deepseek/fake-reasoner-20-20+cut-answer-10@1"
        resumed = await client.complete(broken, "When does it leave?", caller="resumed")
        of_plain = (await client.usage(caller="plain")).total
        of_resumed = (await client.usage(caller="resumed")).total
    assert plain.saved is None
    assert not of_plain.HasField("saved")
    assert resumed.saved is not None
    told = (resumed.saved.reasoning_tokens, resumed.saved.answer_tokens, resumed.saved.nano_usd)
    kept = of_resumed.saved
    assert told == (kept.reasoning_tokens, kept.answer_tokens, kept.nano_usd)
    assert told[:2] == (20, 10)


async def test_a_count_that_was_told_before_the_first_word_is_not_what_a_cut_stream_cost(
    start: Start, folder: Path, provider: RunningProvider
) -> None:
    """Anthropic's first event counts the output to come with a placeholder."""
    keys = deepseek(provider.base_url)["accounts"]
    model = "anthropic/fake-60+cut-40"
    daemon = await start(
        config(
            *(folder, provider.base_url, model),
            providers={"anthropic": {"base_url": provider.base_url, "accounts": keys}},
        )
    )
    async with daemon.client() as client:
        with pytest.raises(HeadwayError):
            await client.complete(model, "Why?", on_interruption="fail")
    assert await daemon.terminate() == 0
    told = [(row["output_tokens"], row["estimated"]) for row in daemon.rows()]
    assert told == [(entry.usage.output_tokens, 1) for entry in provider.log] == [(40, 1)]
