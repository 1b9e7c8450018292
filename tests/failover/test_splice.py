"""The seam between two attempts: continued, echoed, or told anew."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sidecar.core.events import Answer, Delta, Reasoning, Refusal, ToolCall
from sidecar.core.request import Prefix
from sidecar.failover.splice import ANCHOR, LOOK_AHEAD, RETOLD_AFTER, Joint, Seam, Splicer

PREFIX = "The quick brown fox jumps over the lazy dog and runs away"
SENTENCE = PREFIX + ". "
ABC = st.text("ab", min_size=1, max_size=90)


def fed(prefix: str, pieces: list[str]) -> tuple[str, Seam]:
    splicer = Splicer(prefix)
    out = "".join(splicer.feed(piece) for piece in pieces) + splicer.end()
    return out, splicer.seam


def cut_at(text: str, places: set[int]) -> list[str]:
    edges = [0, *sorted(p for p in places if 0 < p < len(text)), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def test_a_continuation_goes_on_as_it_is() -> None:
    assert fed(PREFIX, [" quickly", "."]) == (" quickly.", Seam.CONTINUES)


def test_an_echo_is_trimmed() -> None:
    assert fed(PREFIX, [PREFIX + " quickly."]) == (" quickly.", Seam.ECHOES)


def test_an_echo_with_nothing_behind_it_gives_nothing() -> None:
    assert fed(PREFIX, [PREFIX]) == ("", Seam.ECHOES)


def test_a_new_telling_is_recognised_and_given_out_whole() -> None:
    retold = PREFIX[: RETOLD_AFTER + 3] + ", or so they say"
    assert fed(PREFIX, list(retold)) == (retold, Seam.RETELLS)


def test_a_short_agreement_is_chance() -> None:
    prefix = PREFIX + ". "
    reply = prefix[: RETOLD_AFTER - 1] + "#"
    assert fed(prefix, list(reply)) == (reply, Seam.CONTINUES)


def test_in_the_middle_of_a_sentence_nobody_begins_as_the_text_began() -> None:
    reply = PREFIX[: ANCHOR + 1] + " told anew"
    assert fed(PREFIX, list(reply)) == (reply, Seam.RETELLS)


@pytest.mark.parametrize("end", ["", ".", ":", "?"])
def test_a_sentence_that_begins_where_no_space_is_yet_is_another_text(end: str) -> None:
    reply = "Here is a new one."
    assert fed(PREFIX + end, list(reply)) == (reply, Seam.DEPARTS)


@pytest.mark.parametrize(
    ("prefix", "reply"),
    [
        (PREFIX + " to", " Paris."),
        (PREFIX + ". ", "Then it sleeps."),
        (PREFIX + " 東", "京"),
        ("```js\nlet the = get", "Element()"),
        ("```cs\nfoxes = System.", "Collections"),
        (PREFIX, "ingly fast"),
        (PREFIX + ".", " Then it sleeps."),
        (PREFIX + " from N", "ATO"),
    ],
)
def test_a_capital_that_a_continuation_may_have_is_no_such_sign(prefix: str, reply: str) -> None:
    assert fed(prefix, list(reply)) == (reply, Seam.CONTINUES)


def test_another_text_is_unusable_and_proves_nothing_against_its_target() -> None:
    joint = Joint(Prefix(answer=PREFIX))
    assert joint.feed([Answer("Here is")]) == []
    assert (joint.unusable, joint.doubted) == (True, True)


def test_an_echo_of_the_last_words_is_trimmed() -> None:
    assert fed(PREFIX, list("and runs away quickly.")) == (" quickly.", Seam.ECHOES)


def test_of_two_echoes_the_longer_is_trimmed() -> None:
    assert fed("so it goes on and on", ["it goes on and on, and on"]) == (", and on", Seam.ECHOES)


def test_what_the_text_repeats_anyway_is_no_echo() -> None:
    prefix = "| a | b |\n| - | - |\n| 1 | 2 |\n| 1 | 2 |\n"
    assert fed(prefix, ["| 1 | 2 |\n"]) == ("| 1 | 2 |\n", Seam.CONTINUES)


def test_an_echo_does_not_begin_inside_a_word() -> None:
    assert fed("an unforgettable", ["forgettable one"]) == ("forgettable one", Seam.CONTINUES)


def test_fewer_than_eight_characters_are_no_echo() -> None:
    assert fed("what is it for: a dog", ["a dog!"]) == ("a dog!", Seam.CONTINUES)


def test_a_retelling_behind_words_of_its_own_is_found() -> None:
    reply = "Sure, here it is: " + SENTENCE + "Quickly."
    assert fed(SENTENCE, [reply])[1] is Seam.DOUBLES


def test_the_opening_may_come_up_again_in_a_long_reply() -> None:
    reply = " then. " + "x" * LOOK_AHEAD + PREFIX
    assert fed(PREFIX, [reply]) == (reply, Seam.CONTINUES)


def test_an_empty_reply_gives_nothing() -> None:
    assert fed(PREFIX, []) == ("", Seam.CONTINUES)


def test_without_a_prefix_nothing_is_ever_held_back() -> None:
    splicer = Splicer("")
    assert splicer.feed("x") == "x"
    assert splicer.seam is Seam.CONTINUES


def test_only_the_first_echo_is_trimmed() -> None:
    assert fed("abcabcabc", ["abcabcabc", "abcabcabc"]) == ("abcabcabc", Seam.ECHOES)


@given(ABC, ABC, st.sets(st.integers(0, 200)), st.sets(st.integers(0, 200)))
def test_where_the_reply_is_cut_makes_no_difference(
    prefix: str, reply: str, some: set[int], others: set[int]
) -> None:
    assert fed(prefix, cut_at(reply, some)) == fed(prefix, cut_at(reply, others))


@given(ABC, ABC)
@example(PREFIX, PREFIX[:50])
def test_character_by_character_gives_the_same_as_whole(prefix: str, reply: str) -> None:
    assert fed(prefix, list(reply)) == fed(prefix, [reply])


@given(ABC, st.text("ab", max_size=90))
def test_an_echo_is_always_trimmed_exactly(prefix: str, rest: str) -> None:
    assert fed(prefix, list(prefix + rest)) == (rest, Seam.ECHOES)


@given(ABC, ABC)
def test_never_is_more_held_back_than_the_prefix_is_long(prefix: str, reply: str) -> None:
    splicer, given_out = Splicer(prefix), 0
    for count, character in enumerate(reply, 1):
        given_out += len(splicer.feed(character))
        trimmed = len(prefix) if splicer.seam is Seam.ECHOES else 0
        assert 0 <= count - given_out <= max(len(prefix) - 1, trimmed)


@given(ABC, ABC)
def test_no_word_is_lost_unless_it_is_an_echo(prefix: str, reply: str) -> None:
    assume(not reply.startswith(prefix))
    assume(fed(prefix, [reply])[1] is not Seam.ECHOES)
    assert fed(prefix, list(reply))[0] == reply


# -- deltas ----------------------------------------------------------------------------------


def joined(prefix: Prefix, *batches: list[Delta]) -> tuple[list[Delta], Joint]:
    joint = Joint(prefix)
    out: list[Delta] = []
    for batch in batches:
        out += joint.feed(batch)
    return out + joint.end(), joint


def words(deltas: list[Delta]) -> tuple[str, str]:
    return (
        "".join(d.text for d in deltas if isinstance(d, Reasoning)),
        "".join(d.text for d in deltas if isinstance(d, Answer)),
    )


def test_reasoning_is_joined_with_reasoning_and_the_answer_left_alone() -> None:
    out, joint = joined(Prefix(reasoning=PREFIX), [Reasoning(PREFIX + " on")], [Answer("Yes")])
    assert words(out) == (" on", "Yes")
    assert not joint.retold


def test_a_reply_that_goes_straight_to_the_answer_is_a_continuation() -> None:
    out, joint = joined(Prefix(reasoning=PREFIX), [Answer("Yes")])
    assert words(out) == ("", "Yes")
    assert not (joint.retold)
    assert not (joint.unusable)


def test_reasoning_still_held_back_goes_out_before_the_answer() -> None:
    out, _ = joined(Prefix(reasoning=SENTENCE), [Reasoning("The"), Answer("Yes")])
    assert out == [Reasoning("The"), Answer("Yes")]


def test_an_echoed_answer_is_trimmed() -> None:
    out, joint = joined(Prefix(reasoning="r" * 20, answer=PREFIX), [Answer(PREFIX), Answer("!")])
    assert words(out) == ("", "!")
    assert not joint.retold


def test_a_retold_answer_stands_alone() -> None:
    retold = PREFIX[: RETOLD_AFTER + 2] + " ..."
    out, joint = joined(Prefix(answer=PREFIX), [Answer(retold)])
    assert words(out) == ("", retold)
    assert joint.retold


def test_retelling_that_ends_early_is_known_at_the_end() -> None:
    joint = Joint(Prefix(answer=PREFIX))
    assert joint.feed([Answer(PREFIX[: RETOLD_AFTER + 1])]) == []
    assert not joint.retold
    assert joint.end() == [Answer(PREFIX[: RETOLD_AFTER + 1])]
    assert joint.retold


def test_thinking_again_after_the_answer_had_begun_is_unusable() -> None:
    joint = Joint(Prefix(answer=PREFIX))
    assert joint.feed([Reasoning("hm"), Answer("x")]) == []
    assert joint.unusable


def test_a_retelling_that_was_given_out_in_part_is_unusable() -> None:
    joint = Joint(Prefix(answer=SENTENCE))
    assert joint.feed([Answer("Sure: ")]) == [Answer("Sure: ")]
    assert joint.feed([Answer(SENTENCE)]) == []
    assert joint.unusable


def test_a_bare_signature_after_the_answer_had_begun_is_no_thinking() -> None:
    joint = Joint(Prefix(answer=PREFIX))
    assert joint.feed([Reasoning("", "sig"), Answer("#")]) == [Reasoning("", "sig"), Answer("#")]
    assert not joint.unusable


@pytest.mark.parametrize("delta", [ToolCall(0, "1", "look", "{}"), Refusal("no")])
def test_what_is_held_back_goes_out_before_anything_of_another_kind(delta: Delta) -> None:
    out, _ = joined(Prefix(answer=SENTENCE), [Answer("The qu"), delta])
    assert out == [Answer("The qu"), delta]


def test_a_signature_passes_although_its_text_is_held_back() -> None:
    joint = Joint(Prefix(reasoning=PREFIX))
    assert joint.feed([Reasoning("The", "sig")]) == [Reasoning("", "sig")]


def test_ending_twice_gives_nothing_twice() -> None:
    joint = Joint(Prefix(answer=PREFIX))
    joint.feed([Answer("The")])
    assert joint.end() == [Answer("The")]
    assert joint.end() == []


@given(ABC, ABC, ABC, st.sets(st.integers(0, 200)), st.sets(st.integers(0, 200)))
def test_deltas_cut_anywhere_join_to_the_same_text(
    prefix: str, thought: str, answer: str, some: set[int], others: set[int]
) -> None:
    def outcome(places: set[int]) -> tuple[tuple[str, str], bool]:
        batches: list[list[Delta]] = [[Reasoning(t)] for t in cut_at(thought, places)]
        batches += [[Answer(t)] for t in cut_at(answer, places)]
        out, joint = joined(Prefix(reasoning=prefix), *batches)
        return words(out), joint.retold

    assert outcome(some) == outcome(others)
