"""Token counts in one normal form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.usage import NOTHING, Usage

TOKENS = st.integers(0, 10**9)
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, st.booleans())


def test_reasoning_is_part_of_the_output() -> None:
    usage = Usage(10, output_tokens=50, reasoning_tokens=30)
    assert (usage.answer_tokens, usage.total_tokens) == (20, 60)


def test_more_reasoning_than_output_leaves_no_answer_and_no_debt() -> None:
    assert Usage(output_tokens=5, reasoning_tokens=9).answer_tokens == 0


def test_one_estimated_part_makes_the_sum_estimated() -> None:
    assert (Usage(1) + Usage(1, estimated=True)).estimated
    assert not (Usage(1) + Usage(1)).estimated


@given(USAGES, USAGES, USAGES)
def test_sums_do_not_depend_on_order_or_grouping(one: Usage, two: Usage, three: Usage) -> None:
    assert one + (two + three) == (three + one) + two


@given(USAGES)
def test_adding_nothing_changes_nothing(usage: Usage) -> None:
    assert usage + NOTHING == usage == NOTHING + usage


@given(USAGES, USAGES)
def test_every_count_is_added_up(one: Usage, two: Usage) -> None:
    both = one + two
    assert both.total_tokens == one.total_tokens + two.total_tokens
    assert both.cached_input_tokens == one.cached_input_tokens + two.cached_input_tokens
    assert both.cache_write_tokens == one.cache_write_tokens + two.cache_write_tokens
    assert both.reasoning_tokens == one.reasoning_tokens + two.reasoning_tokens
