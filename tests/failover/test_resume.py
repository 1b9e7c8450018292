"""From where the next attempt starts: every phase, every ability, every policy."""

from __future__ import annotations

from itertools import product

import pytest

from sidecar.core.events import Answer, Continuation, Delta, Reasoning, Refusal, ToolCall
from sidecar.core.request import OnInterruption, Prefix
from sidecar.core.target import Resume, Target
from sidecar.core.transcript import Phase, Transcript
from sidecar.failover.abilities import Abilities
from sidecar.failover.resume import ANEW, FRESH, SHORTEST_PREFIX, Start, begin

THOUGHT, WORDS = "a long enough thought", "a long enough answer"
SAID: dict[Phase, tuple[Delta, ...]] = {
    Phase.NOTHING: (),
    Phase.REASONING: (Reasoning(THOUGHT),),
    Phase.ANSWER: (Reasoning(THOUGHT), Answer(WORDS)),
    Phase.TOOL_CALL: (Reasoning(THOUGHT), Answer(WORDS), ToolCall(0, "1", "f", '{"')),
    Phase.REFUSAL: (Reasoning(THOUGHT), Refusal("I will not do that")),
}
RESUMES: dict[tuple[Phase, Resume], Prefix] = {
    (Phase.REASONING, Resume.PREFIX): Prefix(reasoning=THOUGHT),
    (Phase.ANSWER, Resume.PREFIX): Prefix(reasoning=THOUGHT, answer=WORDS),
    (Phase.ANSWER, Resume.PREFILL): Prefix(answer=WORDS),
}


def told(*deltas: Delta) -> Transcript:
    transcript = Transcript()
    for delta in deltas:
        transcript.add(delta)
    return transcript


def expected(phase: Phase, able: Resume, policy: OnInterruption) -> Start:
    if phase is Phase.NOTHING:
        return FRESH
    if policy is OnInterruption.RESUME and (phase, able) in RESUMES:
        return Start(Continuation.RESUMED, RESUMES[phase, able])
    return ANEW


@pytest.mark.parametrize(("phase", "able", "policy"), list(product(Phase, Resume, OnInterruption)))
def test_the_start_follows_the_table(phase: Phase, able: Resume, policy: OnInterruption) -> None:
    assert begin(told(*SAID[phase]), able, policy) == expected(phase, able, policy)


def test_a_signature_alone_is_text_of_the_old_attempt() -> None:
    """It was delivered, so a new attempt must discard it."""
    start = begin(told(Reasoning("", "sig")), Resume.PREFIX, OnInterruption.RESUME)
    assert start == ANEW


@pytest.mark.parametrize("length", [1, SHORTEST_PREFIX - 1])
def test_text_too_short_to_be_recognised_is_bought_again(length: int) -> None:
    thought, words = told(Reasoning("x" * length)), told(Reasoning(THOUGHT), Answer("x" * length))
    assert begin(thought, Resume.PREFIX, OnInterruption.RESUME) == ANEW
    assert begin(words, Resume.PREFIX, OnInterruption.RESUME) == ANEW


def test_the_shortest_prefix_is_continued() -> None:
    start = begin(told(Answer("x" * SHORTEST_PREFIX)), Resume.PREFILL, OnInterruption.RESUME)
    assert start.prefix == Prefix(answer="x" * SHORTEST_PREFIX)


def test_abilities_are_the_profiles_until_a_target_refuses() -> None:
    one, other = Target("a", "m", Resume.PREFIX), Target("a", "n", Resume.PREFILL)
    abilities = Abilities()
    abilities.refused_prefix(one, Prefix(reasoning="Well", answer="Yes"))
    assert (abilities.of(one), abilities.of(other)) == (Resume.NONE, Resume.PREFILL)


def test_a_target_that_refuses_a_chain_of_thought_may_yet_continue_an_answer() -> None:
    one, abilities = Target("a", "m", Resume.PREFIX), Abilities()
    abilities.refused_prefix(one, Prefix(reasoning="Well"))
    assert abilities.of(one) is Resume.PREFILL
    abilities.refused_prefix(one, Prefix(answer="Yes"))
    assert abilities.of(one) is Resume.NONE


def test_abilities_forget_on_demand() -> None:
    one, abilities = Target("a", "m", Resume.PREFIX), Abilities()
    abilities.refused_prefix(one, Prefix(answer="Yes"))
    abilities.forget()
    assert abilities.of(one) is Resume.PREFIX
