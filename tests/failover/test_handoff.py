"""Where the notes go, and that nothing else of a request changes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sidecar.core.events import Answer, AttemptBegan, Continuation, Reasoning
from sidecar.core.failure import Cause
from sidecar.core.money import Price
from sidecar.core.request import Completion, Message, OnInterruption, Role, Text
from sidecar.core.target import Route
from sidecar.core.usage import Usage
from sidecar.failover.handoff import given
from sidecar.failover.session import Session
from tests.failover.making import ALPHA, GAMMA, begin, cut, fail, finish, say, session

NOTES = "Let me see: seven times eight is fifty-six."
SYSTEM = Message(Role.SYSTEM, (Text("Be brief."),))
USER = Message(Role.USER, (Text("What is 7 * 8?"),))
CALLED = Message(Role.ASSISTANT, (Text("I ask a tool."),))
RESULT = Message(Role.TOOL, (Text("56"),), tool_call_id="t-1")


def asked(*messages: Message) -> Completion:
    return Completion("m", messages)


@pytest.mark.parametrize(
    ("messages", "place"),
    [((USER,), 0), ((SYSTEM, USER), 1), ((SYSTEM, USER, CALLED, RESULT), 0)],
)
def test_the_notes_join_the_last_user_turn_or_the_system_message(
    messages: tuple[Message, ...], place: int
) -> None:
    before, after = asked(*messages), given(asked(*messages), NOTES)
    assert NOTES in after.messages[place].text
    assert after.messages[place].text.startswith(before.messages[place].text)
    bare = [m for i, m in enumerate(after.messages) if i != place]
    assert bare == [m for i, m in enumerate(before.messages) if i != place]
    assert replace(after, messages=before.messages) == before


def test_without_a_system_message_a_tools_result_gets_one() -> None:
    after = given(asked(USER, CALLED, RESULT), NOTES)
    assert [m.role for m in after.messages] == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL]


# -- the session -----------------------------------------------------------------------------


def handing(**more: object) -> Session:
    one = session(ALPHA, GAMMA, **more)  # type: ignore[arg-type]
    route = Route("default", (ALPHA, GAMMA), handoff=True)
    return Session(one.request, route, one._rng)


def test_cut_in_its_reasoning_the_next_target_gets_notes_and_the_caller_keeps_all() -> None:
    one = handing()
    cut(one, Reasoning(NOTES))
    plan = begin(one, 1)
    assert plan.start.notes == NOTES
    event = say(one, plan, Answer("56"))[0]
    assert isinstance(event, AttemptBegan)
    assert event.continuation is Continuation.RESUMED
    assert event.discard_after_sequence == 2
    assert event.reason == "STREAM_CUT+HANDOFF"
    assert (one.transcript.reasoning, one.transcript.answer) == (NOTES, "56")


def test_cut_in_its_answer_the_reasoning_stays_and_the_answer_begins_anew() -> None:
    one = handing()
    cut(one, Reasoning(NOTES), Answer("It is fif"))
    plan = begin(one, 1)
    event = say(one, plan, Answer("56"))[0]
    assert isinstance(event, AttemptBegan)
    assert event.continuation is Continuation.RESTARTED
    assert event.discard_after_sequence == 2, "the event and the reasoning stay"
    assert (one.transcript.reasoning, one.transcript.answer) == (NOTES, "56")


def test_what_was_thought_is_not_bought_again_and_told_so() -> None:
    one = handing()
    cut(one, Reasoning(NOTES), usage=Usage(10, output_tokens=12, reasoning_tokens=12))
    plan = begin(one, 1)
    assert plan.carried == 12
    say(one, plan, Answer("56"))
    finish(one, plan, price=Price(input=1_000_000_000, output=4_000_000_000))
    assert (one.saved.reasoning_tokens, one.saved.nano_usd) == (12, 36_000)


def test_a_target_that_can_continue_is_given_a_prefix_and_no_notes() -> None:
    one = handing()
    cut(one, Reasoning(NOTES))
    start = begin(one, 0).start
    assert start.prefix is not None
    assert not start.notes


def test_notes_that_are_refused_are_not_given_again() -> None:
    one = handing()
    cut(one, Reasoning(NOTES))
    fail(one, begin(one, 1), Cause.PREFIX_REFUSED)
    start = begin(one, 1).start
    assert (start.notes, start.continuation) == ("", Continuation.RESTARTED)


def test_a_caller_that_wants_a_restart_gets_one() -> None:
    one = handing(on_interruption=OnInterruption.RESTART)
    cut(one, Reasoning(NOTES))
    assert not begin(one, 1).start.notes


def test_a_route_that_does_not_hand_on_begins_anew() -> None:
    one = session(ALPHA, GAMMA)
    cut(one, Reasoning(NOTES))
    assert begin(one, 1).start.continuation is Continuation.RESTARTED


# -- excluded reasoning ----------------------------------------------------------------------


def test_reasoning_that_is_never_sent_is_nothing_delivered() -> None:
    one = session(ALPHA, deliver=False)
    plan = begin(one)
    one.join(plan)
    assert not one.note(Reasoning(NOTES))
    assert not one.delivered


def test_what_a_hidden_restart_owes_the_caller_goes_out_with_the_next_event() -> None:
    one = session(GAMMA, ALPHA, deliver=False)
    cut(one, Reasoning(NOTES), Answer("It is fif"))
    hidden = begin(one, 0)
    one.join(hidden)
    one.note(Reasoning("Seven times eight, again."))
    fail(one, hidden, Cause.CUT)
    last = begin(one, 1)
    assert last.start.continuation is Continuation.RESUMED
    event = one.announce(last)
    assert (event.continuation, event.discard_after_sequence) == (Continuation.RESTARTED, 0)
