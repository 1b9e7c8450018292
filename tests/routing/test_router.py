"""The one choice: soonest beyond patience, then rank, then time."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from sidecar.routing.router import NEVER, Option, pick


def option(rank: int, ready_at: float, key: int = 0) -> Option:
    return Option(target=rank, key=key, rank=rank, ready_at=ready_at)


def test_of_what_is_ready_the_best_rank_is_taken() -> None:
    assert pick([option(1, 0.0), option(0, 0.0), option(2, 0.0)], 0.0, 0.25) == option(0, 0.0)


def test_a_better_rank_is_worth_waiting_for_within_patience() -> None:
    assert pick([option(0, 10.2), option(1, 10.0)], 10.0, 0.25) == option(0, 10.2)


def test_beyond_patience_the_sooner_one_is_taken() -> None:
    assert pick([option(0, 10.3), option(1, 10.0)], 10.0, 0.25) == option(1, 10.0)


def test_patience_is_measured_from_now_and_not_between_options() -> None:
    """Both are beyond patience: then only time counts."""
    assert pick([option(0, 20.1), option(1, 20.0)], 10.0, 0.25) == option(1, 20.0)


def test_equal_rank_goes_by_time() -> None:
    later, sooner = option(0, 0.2, key=0), option(0, 0.1, key=1)
    assert pick([later, sooner], 0.0, 0.25) == sooner


def test_equal_in_everything_the_first_named_is_taken() -> None:
    assert pick([option(0, 0.0, key=3), option(0, 0.0, key=1)], 0.0, 0.25) == option(0, 0.0, key=3)


def test_never_is_never_chosen() -> None:
    assert pick([option(0, NEVER), option(1, 1e9)], 0.0, 0.25) == option(1, 1e9)


def test_nothing_that_will_ever_be_ready_gives_none() -> None:
    assert pick([option(0, NEVER)], 0.0, 0.25) is None
    assert pick([], 0.0, 0.25) is None


OPTIONS = st.lists(
    st.tuples(st.integers(0, 4), st.floats(0.0, 30.0) | st.just(NEVER)), min_size=1, max_size=12
)


@given(OPTIONS, st.floats(0.0, 20.0), st.floats(0.0, 5.0), st.integers(0, 1000))
def test_the_choice_does_not_depend_on_the_order_of_the_options(
    raw: list[tuple[int, float]], now: float, patience_s: float, seed: int
) -> None:
    options = [option(rank, ready_at) for rank, ready_at in raw]
    shuffled = random.Random(seed).sample(options, len(options))
    assert pick(options, now, patience_s) == pick(shuffled, now, patience_s)


@given(OPTIONS, st.floats(0.0, 20.0), st.floats(0.0, 5.0))
def test_nobody_waits_longer_than_patience_for_a_rank(
    raw: list[tuple[int, float]], now: float, patience_s: float
) -> None:
    options = [option(rank, ready_at) for rank, ready_at in raw]
    chosen = pick(options, now, patience_s)
    soonest = min(o.ready_at for o in options)
    if chosen is None:
        assert soonest == NEVER
    else:
        assert max(chosen.ready_at, now) <= max(soonest, now + patience_s) + 1e-9
