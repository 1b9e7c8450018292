"""What a model would say to a request."""

from __future__ import annotations

import pytest

from sidecar.core.request import Prefix
from sidecar.testing.asked import Asked, Budget, OnPrefix, Plan, base_plan, compose
from sidecar.testing.texts import DEMO, token_count, written

PLAN = Plan(reasoning_words=10, answer_words=10)
WHOLE = written(0, 10, 10)


def asked(**changes: object) -> Asked:
    plain = {"dialect": "d", "flavour": "f", "model": "m", "stream": True, "texts": ("a b",)}
    return Asked(**(plain | changes))  # type: ignore[arg-type]


def test_usage_counts_input_reasoning_and_answer() -> None:
    usage = compose(asked(), PLAN).usage
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (2, 20, 10)


@pytest.mark.parametrize(("limit", "kinds"), [(3, (3, 0)), (10, (10, 0)), (13, (10, 3))])
def test_a_maximum_is_spent_on_reasoning_first(limit: int, kinds: tuple[int, int]) -> None:
    speech = compose(asked(max_tokens=limit), PLAN)
    assert (len(speech.reasoning), len(speech.answer)) == kinds
    assert speech.finish == "length"


def test_a_maximum_that_is_just_enough_is_no_length() -> None:
    assert compose(asked(max_tokens=20), PLAN).finish == "stop"


def test_tool_arguments_are_cut_by_the_maximum_too() -> None:
    speech = compose(asked(max_tokens=13), Plan(answer_words=10, tool_calls=1))
    assert (len(speech.answer), len(speech.calls[0].pieces)) == (10, 3)
    assert speech.finish == "length"


def test_the_plans_seed_goes_before_the_requests() -> None:
    seeded = Plan(answer_words=10, seed=4)
    assert "".join(compose(asked(seed=9), seeded).answer) == written(4, 0, 10).answer


@pytest.mark.parametrize("place", range(0, len(WHOLE.answer), 5))
def test_prefix_and_continuation_are_the_whole_at_any_place(place: int) -> None:
    if place == 0:
        prefix = Prefix(reasoning=WHOLE.reasoning)
    else:
        prefix = Prefix(WHOLE.reasoning, WHOLE.answer[:place])
    speech = compose(asked(prefix=prefix, on_prefix=OnPrefix.CONTINUE), PLAN)
    assert speech.reasoning == ()
    assert prefix.answer + "".join(speech.answer) == WHOLE.answer


def test_a_continuation_may_say_as_much_as_its_own_maximum() -> None:
    prefix = Prefix(answer=WHOLE.answer[:20])
    speech = compose(asked(prefix=prefix, on_prefix=OnPrefix.CONTINUE, max_tokens=2), PLAN)
    assert token_count("".join(speech.answer)) == 2


def test_an_echo_of_reasoning_repeats_the_reasoning() -> None:
    prefix = Prefix(reasoning=WHOLE.reasoning[:20])
    speech = compose(asked(prefix=prefix, on_prefix=OnPrefix.ECHO), PLAN)
    assert "".join(speech.reasoning) == WHOLE.reasoning


def test_a_restart_says_everything_again() -> None:
    prefix = Prefix(answer=WHOLE.answer[:20])
    speech = compose(asked(prefix=prefix, on_prefix=OnPrefix.RESTART), PLAN)
    assert ("".join(speech.reasoning), "".join(speech.answer)) == (WHOLE.reasoning, WHOLE.answer)


def test_a_departure_says_as_much_in_other_words() -> None:
    prefix = Prefix(answer=WHOLE.answer[:20])
    said = "".join(compose(asked(prefix=prefix, on_prefix=OnPrefix.DEPART), PLAN).answer)
    assert (said[0].isupper(), said[:8] in WHOLE.answer) == (True, False)
    assert token_count(said) == token_count(WHOLE.answer)


def test_a_plans_way_with_a_prefix_goes_before_the_dialects() -> None:
    ask = asked(on_prefix=OnPrefix.CONTINUE)
    assert ask.way(Plan(on_prefix=OnPrefix.REFUSE)) is OnPrefix.REFUSE
    assert ask.way(Plan()) is OnPrefix.CONTINUE


def test_the_demo_is_a_text_of_its_own() -> None:
    plan = base_plan("fake-demo", Plan())
    assert plan is not None
    assert "".join(compose(asked(), plan).answer) == DEMO.answer


def test_a_base_keeps_what_is_usual() -> None:
    plan = base_plan("fake-reasoner-3-4", Plan(pace_s=0.5))
    assert plan == Plan(reasoning_words=3, answer_words=4, pace_s=0.5)


def test_a_budget_without_end_takes_all() -> None:
    budget = Budget(None)
    assert budget.take(("a", "b")) == ("a", "b")
    assert not budget.short
