"""Integer nano-dollars: every published price exact, every sum exact."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.money import (
    FREE,
    TOKENS_PER_PRICE,
    UNKNOWN,
    Cost,
    Price,
    answer_unit_nano_usd,
    cost_of,
    price_per_million,
)
from sidecar.core.usage import NOTHING, Usage

TOKENS = st.integers(0, 10_000_000)
NANO = st.integers(0, 10**12)
COSTS = st.builds(Cost, NANO, NANO, NANO, st.booleans())
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS, st.booleans())
PRICES = st.builds(Price, NANO, NANO, st.none() | NANO, st.none() | NANO, NANO)


@pytest.mark.parametrize(
    ("usd", "nano"),
    [("0.15", 150_000_000), ("0.003625", 3_625_000), ("25", 25_000_000_000), ("0", 0)],
)
def test_a_published_price_is_an_integer(usd: str, nano: int) -> None:
    assert price_per_million(usd) == nano


def test_one_part_is_rounded_half_up() -> None:
    half = Price(input=TOKENS_PER_PRICE // 2, output=0)
    assert cost_of(Usage(input_tokens=1), half).input_nano_usd == 1
    below = Price(input=TOKENS_PER_PRICE // 2 - 1, output=0)
    assert cost_of(Usage(input_tokens=1), below).input_nano_usd == 0


def test_the_parts_of_a_call_are_billed_apart() -> None:
    usage = Usage(1000, 300, 100, 500, 200)
    price = Price(1_000_000, 4_000_000, cached_input=100_000, cache_write=2_000_000, request=7)
    assert cost_of(usage, price) == Cost(7 + 600 + 30 + 200, 800, 1200)


def test_cached_and_written_input_without_a_price_of_their_own_cost_as_input() -> None:
    usage = Usage(1000, 300, 100)
    assert cost_of(usage, Price(1_000_000, 0)) == Cost(1000)


def test_a_price_that_nobody_knows_is_unknown_and_not_free() -> None:
    assert cost_of(Usage(10), None) == UNKNOWN
    assert (UNKNOWN + FREE).unknown
    assert UNKNOWN != FREE


def test_more_cached_than_input_is_never_a_credit() -> None:
    cost = cost_of(Usage(10, cached_input_tokens=50), Price(1_000_000, 0, cached_input=0))
    assert cost.input_nano_usd == 0


@given(TOKENS, st.integers(0, 10**12))
def test_rounding_is_never_off_by_more_than_half_a_nano_dollar(tokens: int, price: int) -> None:
    exact = Fraction(tokens * price, TOKENS_PER_PRICE)
    cost = cost_of(Usage(output_tokens=tokens), Price(0, price)).answer_nano_usd
    assert abs(cost - exact) <= Fraction(1, 2)


@given(USAGES, PRICES)
def test_no_usage_is_ever_a_credit(usage: Usage, price: Price) -> None:
    cost = cost_of(usage, price)
    parts = (cost.input_nano_usd, cost.reasoning_nano_usd, cost.answer_nano_usd)
    assert min(parts) >= 0
    assert cost.total_nano_usd == sum(parts)


@given(st.lists(COSTS, max_size=8))
def test_sums_of_costs_do_not_depend_on_the_order(costs: list[Cost]) -> None:
    shuffled = sorted(costs, key=lambda cost: cost.total_nano_usd)
    assert sum(costs, FREE) == sum(shuffled, FREE)
    assert sum(costs, FREE).total_nano_usd == sum(cost.total_nano_usd for cost in costs)


@given(COSTS)
def test_adding_nothing_changes_nothing(cost: Cost) -> None:
    assert cost + FREE == cost


def test_a_useful_token_bears_the_whole_cost() -> None:
    cost, usage = Cost(100, 700, 200), Usage(output_tokens=100, reasoning_tokens=60)
    assert answer_unit_nano_usd(cost, usage) == 25


def test_a_useful_token_is_rounded_half_up() -> None:
    assert answer_unit_nano_usd(Cost(5), Usage(output_tokens=2)) == 3


@pytest.mark.parametrize("usage", [NOTHING, Usage(output_tokens=3, reasoning_tokens=3)])
def test_without_a_useful_token_there_is_no_price_of_one(usage: Usage) -> None:
    assert answer_unit_nano_usd(Cost(100), usage) == 0
