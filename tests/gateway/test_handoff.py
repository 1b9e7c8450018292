"""Kept reasoning handed to a target that can continue none: through the whole gateway."""

from __future__ import annotations

from sidecar.core.events import AttemptBegan, Continuation, Event
from sidecar.core.request import ReasoningOptions
from sidecar.testing import written
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import House, completed
from tests.simulation.world import held

TRUE = written(0, 6, 8)
OTHER = written(0, 0, 12)
HANDING = """
  handing:
    {targets: [deepseek/fake-reasoner-6-8, second/fake-12], retries: 0, handoff: true}
"""


def house(*faults: str, second: tuple[str, ...] = ()) -> House:
    return House(*faults, second=second, more=HANDING)


def began(events: list[Event]) -> list[AttemptBegan]:
    return [event for event in events if isinstance(event, AttemptBegan)]


def sent(one: House) -> str:
    """The last turn that the second provider was sent."""
    body = one.second.log[-1].body
    assert body is not None
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@in_virtual_time
async def test_cut_in_its_reasoning_the_next_target_goes_on_to_the_answer() -> None:
    one = house("cut-reasoning-4")
    events = await one.ask("handing")
    first, second = began(events)
    assert (second.continuation, second.reason) == (Continuation.RESUMED, "STREAM_CUT+HANDOFF")
    kept = held(events)[0]
    assert kept.answer == OTHER.answer
    assert kept.reasoning
    assert TRUE.reasoning.startswith(kept.reasoning)
    assert kept.reasoning in sent(one)
    assert first.number == 1
    one.judge()


@in_virtual_time
async def test_cut_in_its_answer_only_the_answer_begins_anew() -> None:
    one = house("cut-answer-5")
    events = await one.ask("handing")
    second = began(events)[1]
    assert second.continuation is Continuation.RESTARTED
    assert second.discard_after_sequence > 1
    kept = held(events)[0]
    assert (kept.reasoning, kept.answer) == (TRUE.reasoning, OTHER.answer)
    assert TRUE.reasoning in sent(one)
    one.judge()


@in_virtual_time
async def test_what_it_saved_stands_in_completed_and_in_the_ledger() -> None:
    one = house("cut-reasoning-4")
    last = completed(await one.ask("handing"))
    assert last.saved.reasoning_tokens == 4
    assert last.saved.nano_usd == 4 * (8_000 - 2_000)
    assert one.books.entries[-1].saved == last.saved


@in_virtual_time
async def test_reasoning_that_the_caller_excluded_is_handed_on_unseen() -> None:
    one = house("cut-reasoning-4")
    events = await one.ask("handing", reasoning=ReasoningOptions(deliver=False))
    (only,) = began(events)
    assert (only.number, only.continuation) == (2, Continuation.RESUMED)
    assert held(events)[0].answer == OTHER.answer
    assert held(events)[0].reasoning == ""
    one.judge()


@in_virtual_time
async def test_a_target_that_refuses_the_notes_is_asked_without_them() -> None:
    one = house("cut-reasoning-4", second=("http-400",))
    events = await one.ask("handing")
    assert began(events)[-1].continuation is Continuation.RESTARTED
    assert held(events)[0].answer == OTHER.answer
    assert not held(events)[0].reasoning
    one.judge()
