"""What reasoning is kept under, and what is worth keeping: the pure part."""

from __future__ import annotations

from msgspec.structs import replace

from sidecar.core.events import (
    Answer,
    AttemptCause,
    AttemptSummary,
    Continuation,
    Outcome,
    Reasoning,
    ToolCall,
)
from sidecar.core.money import FREE
from sidecar.core.request import Message, Role, Text, ToolUse
from sidecar.core.transcript import Transcript
from sidecar.core.usage import NOTHING
from sidecar.gateway import recollection
from sidecar.gateway.recollection import Kept, Owner
from sidecar.providers import profiles
from sidecar.providers.table import PROFILES

OWNER = Owner("me", "anthropic", "anthropic", "claude-opus-5")
CLAUDE = profiles.target(PROFILES["anthropic"], "claude-opus-5")
DEEPSEEK = profiles.target(PROFILES["deepseek"], "deepseek-flash")
USER = Message(Role.USER, (Text("go"),))
CALL = ToolUse("c1", "f", '{"a": 1, "b": 2}')
TURN = Message(Role.ASSISTANT, (Text("let me see"),), tool_calls=(CALL,))


def said(*, calls: bool = True) -> Transcript:
    transcript = Transcript()
    transcript.add(Reasoning("hm", "hw1.anthropic:[1]"))
    transcript.add(Answer("let me see"))
    if calls:
        transcript.add(ToolCall(0, CALL.id, CALL.name, CALL.arguments))
    return transcript


def attempt(
    provider: str = "a",
    outcome: Outcome = Outcome.COMPLETED,
    continuation: Continuation = Continuation.FRESH,
) -> AttemptSummary:
    return AttemptSummary(
        number=1,
        provider=provider,
        model="m",
        key_alias="k",
        cause=AttemptCause.FIRST,
        continuation=continuation,
        outcome=outcome,
        reason="",
        usage=NOTHING,
        cost=FREE,
        duration_s=1.0,
    )


def keys(*messages: Message, owner: Owner = OWNER) -> list[str]:
    return [lookup.key for lookup in recollection.lookups(owner, messages)]


def test_a_turn_is_found_under_the_name_it_was_kept_under() -> None:
    assert keys(USER, TURN) == [recollection.key_of_answer(OWNER, (USER,), said())]


def test_a_tool_turn_is_known_without_its_text_and_without_what_came_long_before() -> None:
    system = Message(Role.SYSTEM, (Text("be brief"),))
    assert keys(USER, TURN) == keys(system, USER, replace(TURN, content=()))


def test_arguments_count_by_what_they_say_not_by_how_they_are_written() -> None:
    again = replace(CALL, arguments='{"b":2,"a":1}')
    assert keys(USER, TURN) == keys(USER, replace(TURN, tool_calls=(again,)))


def test_other_arguments_ids_callers_and_models_have_other_names() -> None:
    others = [
        keys(USER, replace(TURN, tool_calls=(replace(CALL, arguments="{}"),))),
        keys(USER, replace(TURN, tool_calls=(replace(CALL, id="c2"),))),
        keys(replace(USER, content=(Text("stop"),)), TURN),
        *(keys(USER, TURN, owner=replace(OWNER, **{name: "x"}))
          for name in ("caller", "dialect", "provider", "model")),
    ]  # fmt: skip
    assert len({*keys(USER, TURN), *(key for other in others for key in other)}) == 8


def test_an_answer_is_known_only_within_its_whole_conversation() -> None:
    plain = Message(Role.ASSISTANT, (Text("let me see"),))
    kept = recollection.key_of_answer(OWNER, (USER,), said(calls=False))
    assert keys(USER, plain) == [kept]
    assert keys(USER, USER, plain) != [kept]


def test_reasoning_and_signatures_that_a_caller_does_send_do_not_change_a_name() -> None:
    plain = Message(Role.ASSISTANT, (Text("one"),))
    signed = replace(plain, reasoning="hm", signature="s")
    assert keys(USER, plain, USER, TURN)[-1:] == keys(USER, signed, USER, TURN)


def test_a_turn_that_came_back_signed_is_not_looked_up() -> None:
    assert keys(USER, replace(TURN, signature="s")) == []


def test_of_a_long_history_the_latest_turns_are_looked_up() -> None:
    found = recollection.lookups(OWNER, (USER, TURN) * 100)
    assert len(found) == recollection.MOST_TURNS
    assert found[-1].place == 199


def test_a_signature_is_kept_and_a_chain_of_thought_where_it_must_go_back() -> None:
    one = [attempt()]
    signed, unsigned = said(), said()
    unsigned.signature = ""
    assert recollection.worth_keeping(signed, one, CLAUDE) == Kept("hm", "hw1.anthropic:[1]")
    assert recollection.worth_keeping(unsigned, one, CLAUDE) is None
    assert recollection.worth_keeping(unsigned, one, DEEPSEEK) == Kept("hm", "")


def test_a_model_that_does_not_think_keeps_nothing() -> None:
    plain = profiles.target(PROFILES["gemini"], "gemini-2.0-flash")
    assert recollection.worth_keeping(said(), [attempt()], plain) is None


def test_a_text_that_two_targets_wrote_is_not_signed() -> None:
    cut = attempt("a", Outcome.INTERRUPTED)
    resumed = attempt("b", continuation=Continuation.RESUMED)
    assert not recollection.of_one_hand([cut, resumed])
    assert recollection.of_one_hand([cut, attempt("a", continuation=Continuation.RESUMED)])
    assert recollection.of_one_hand([cut, attempt("b", continuation=Continuation.RESTARTED)])


def test_what_is_found_goes_into_the_very_turn_it_belongs_to() -> None:
    history = (USER, TURN, USER, TURN)
    made = recollection.restored(history, {1: Kept("hm", "s")}, DEEPSEEK)
    assert (made[1].reasoning, made[1].signature) == ("hm", "s")
    assert (made[0], *made[2:]) == (USER, USER, TURN)


def test_a_thought_of_the_caller_s_own_stays_and_is_not_signed() -> None:
    own = replace(TURN, reasoning="mine")
    assert recollection.restored((own,), {0: Kept("hm", "s")}, DEEPSEEK) == (own,)


def test_a_thought_that_came_back_unsigned_is_signed_again() -> None:
    own = replace(TURN, reasoning="hm\n")
    (made,) = recollection.restored((own,), {0: Kept("hm", "s")}, DEEPSEEK)
    assert (made.reasoning, made.signature) == ("hm\n", "s")


def test_a_target_that_lives_by_signatures_gets_no_bare_text() -> None:
    (made,) = recollection.restored((TURN,), {0: Kept("hm", "s")}, CLAUDE)
    assert (made.reasoning, made.signature) == ("", "s")
