"""The healthy steps."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.testing.virtual import in_virtual_time


@in_virtual_time
async def test_reasoning_then_answer_then_calls(new_world: Any) -> None:
    seen = await new_world().ask("fake-reasoner-2-3+tools-1")
    deltas = [chunk["choices"][0]["delta"] for chunk in seen.chunks]
    kinds = [
        "call" if delta.get("tool_calls") else "answer" if delta.get("content") else "reasoning"
        for delta in deltas[1:-1]
    ]
    assert kinds[:5] == ["reasoning"] * 2 + ["answer"] * 3
    assert set(kinds[5:]) == {"call"}


@in_virtual_time
async def test_the_first_token_takes_as_long_as_any_other(new_world: Any) -> None:
    seen = await new_world().ask("fake-2+ms-100")
    assert seen.times == pytest.approx([0.0, 0.1, 0.2])


@in_virtual_time
async def test_an_answer_of_no_words_is_still_an_answer(new_world: Any) -> None:
    seen = await new_world().ask("fake-0")
    assert (seen.answer, seen.finish, seen.done) == ("", "stop", True)


@in_virtual_time
async def test_a_batch_is_one_event_and_counts_all_its_tokens(new_world: Any) -> None:
    world = new_world()
    one, many = [await world.ask(f"fake-reasoner-5-9+ms-100{more}") for more in ("", "+batch-4")]
    assert (many.reasoning, many.answer) == (one.reasoning, one.answer)
    # Reasoning 4 and 1, the answer 4, 4 and 1; the opening event and the one with the finish.
    assert (len(one.chunks), len(many.chunks)) == (16, 7)
    assert [at - many.times[0] for at in many.times[1:3]] == pytest.approx([0.4, 0.5])
    assert [entry.usage.output_tokens for entry in world.provider.log] == [14, 14]
