"""Retries are a share of traffic, in any ten seconds; who asks seldom has a few all the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.failover.retries import WINDOW_S, RetryBudget, RetryLimits


def granted(budget: RetryBudget, asked: int, now: float = 0.0) -> int:
    """How many of so many retries are granted at that time."""
    return sum(budget.take(now) for _ in range(asked))


def test_who_asks_seldom_may_retry_a_few_times() -> None:
    assert granted(RetryBudget(RetryLimits(share=0.2, at_least_per_s=3.0)), 100) == 30


def test_in_an_outage_a_fifth_of_the_traffic_is_asked_again() -> None:
    budget = RetryBudget(RetryLimits(share=0.2, at_least_per_s=0.0))
    for _ in range(1000):
        budget.asked(5.0)
    assert granted(budget, 1000, 5.0) == 200


def test_what_was_used_comes_back_after_the_window() -> None:
    budget = RetryBudget(RetryLimits(share=0.0, at_least_per_s=1.0))
    assert granted(budget, 100, 0.5) == 10
    assert granted(budget, 100, 9.0) == 0
    assert granted(budget, 100, 0.5 + WINDOW_S) == 10


def test_a_retry_that_is_not_made_counts_for_nothing() -> None:
    budget = RetryBudget(RetryLimits(share=0.0, at_least_per_s=0.1))
    assert budget.take(1.0)
    assert not budget.take(1.0)
    budget.give_back(2.0)
    assert budget.take(2.0)


@given(
    st.lists(st.tuples(st.floats(0.0, 3.0), st.booleans()), max_size=200),
    st.floats(0.0, 1.0),
    st.floats(0.0, 5.0),
)
def test_none_is_granted_beyond_the_share_of_its_window(
    steps: list[tuple[float, bool]], share: float, least: float
) -> None:
    budget, now = RetryBudget(RetryLimits(share, least)), 0.0
    asked: list[float] = []
    retried: list[float] = []
    for more_s, anew in steps:
        now += more_s
        if anew:
            budget.asked(now)
            asked.append(now)
        elif budget.take(now):
            retried.append(now)
            # Judged as each is granted: later the first tries that earned it are out of the window.
            # Seconds are counted whole, so what is counted together is this long, or a second less.
            since = int(now) - WINDOW_S + 1
            first_tries = sum(at >= since - 1 for at in asked)
            allowed = share * first_tries + least * WINDOW_S
            assert sum(at >= since for at in retried) <= allowed + 1e-6


def test_a_retry_stays_counted_when_what_earned_it_is_forgotten() -> None:
    budget = RetryBudget(RetryLimits(share=1.0, at_least_per_s=0.0))
    budget.asked(0.0)
    assert granted(budget, 2, 2.0) == 1
    assert granted(budget, 1, 11.0) == 0
