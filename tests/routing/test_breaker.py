"""The breaker: when it trips, whom it believes, how it finds out that a target has healed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.routing.breaker import Breaker, BreakerPolicy, State

POLICY = BreakerPolicy(
    consecutive=3,
    share=0.5,
    at_least=10,
    window_s=30.0,
    open_s=2.0,
    open_max_s=15.0,
    probe_s=60.0,
)


def tripped(now: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.consecutive):
        breaker.failed(breaker.admit(now), now)
    return breaker


def test_a_new_breaker_lets_traffic_flow_at_once() -> None:
    breaker = Breaker(POLICY)
    assert breaker.state is State.CLOSED
    assert breaker.ready_at(7.0) == 7.0


def test_failures_in_a_row_trip_it() -> None:
    breaker = tripped(now=1.0)
    assert breaker.state is State.OPEN
    assert breaker.ready_at(1.0) == 1.0 + POLICY.open_s


def test_one_failure_fewer_does_not_trip_it() -> None:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.consecutive - 1):
        breaker.failed(breaker.admit(0.0), 0.0)
    assert breaker.state is State.CLOSED
    assert breaker.failures == POLICY.consecutive - 1


def test_a_success_begins_the_row_anew() -> None:
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker.failed(breaker.admit(0.0), 0.0)
        breaker.failed(breaker.admit(0.0), 0.0)
        breaker.succeeded(breaker.admit(0.0), 0.0)
    assert (breaker.state, breaker.failures) == (State.CLOSED, 0)


def shares(failed_of_ten: int, spacing_s: float = 1.0) -> Breaker:
    """Ten results, never three failures in a row, the last one a failure."""
    breaker = Breaker(POLICY)
    ok = [False, True] * failed_of_ten + [True] * (10 - 2 * failed_of_ten)
    for at, one in enumerate(reversed(ok)):
        now = at * spacing_s
        (breaker.succeeded if one else breaker.failed)(breaker.admit(now), now)
    return breaker


def test_half_of_enough_results_failed_trips_it() -> None:
    assert shares(5).state is State.OPEN


def test_less_than_the_share_does_not_trip_it() -> None:
    assert shares(4).state is State.CLOSED


def test_results_older_than_the_window_do_not_count() -> None:
    assert shares(5, spacing_s=5.0).state is State.CLOSED


def test_open_it_says_until_when() -> None:
    breaker = tripped(now=0.0)
    assert breaker.ready_at(0.5) == 2.0
    assert breaker.ready_at(2.0) == 2.0
    assert breaker.ready_at(3.0) == 3.0


def test_half_open_it_admits_one_probe_and_no_more() -> None:
    breaker = tripped()
    breaker.admit(2.0)
    assert breaker.state is State.HALF_OPEN
    assert breaker.ready_at(2.0) == 2.0 + POLICY.probe_s


def test_a_good_probe_closes_it() -> None:
    breaker = tripped()
    breaker.succeeded(breaker.admit(2.0), 3.0)
    assert breaker.state is State.CLOSED
    assert breaker.ready_at(3.0) == 3.0


def test_failed_probes_double_the_time_up_to_the_greatest() -> None:
    breaker = tripped()
    spans = []
    for _ in range(5):
        now = breaker.ready_at(0.0)
        breaker.failed(breaker.admit(now), now)
        spans.append(breaker.ready_at(now) - now)
    assert spans == [4.0, 8.0, 15.0, 15.0, 15.0]


def test_after_it_closed_the_next_trip_is_short_again() -> None:
    breaker = tripped()
    breaker.failed(breaker.admit(2.0), 2.0)
    breaker.succeeded(breaker.admit(6.0), 6.0)
    for _ in range(POLICY.consecutive):
        breaker.failed(breaker.admit(10.0), 10.0)
    assert breaker.ready_at(10.0) == 12.0


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "excluded"])
def test_a_late_result_of_an_older_state_is_ignored(outcome: str) -> None:
    breaker = Breaker(POLICY)
    late = breaker.admit(0.0)
    for _ in range(POLICY.consecutive):
        breaker.failed(breaker.admit(0.0), 0.0)
    before = (breaker.state, breaker.ready_at(0.0), breaker.failures)
    getattr(breaker, outcome)(late, 1.0)
    assert (breaker.state, breaker.ready_at(0.0), breaker.failures) == before


def test_a_late_success_does_not_close_it_in_place_of_the_probe() -> None:
    breaker = Breaker(POLICY)
    late = breaker.admit(0.0)
    for _ in range(POLICY.consecutive):
        breaker.failed(breaker.admit(0.0), 0.0)
    breaker.admit(2.0)
    breaker.succeeded(late, 2.5)
    assert breaker.state is State.HALF_OPEN


def test_a_probe_that_proved_nothing_makes_room_for_the_next_at_once() -> None:
    breaker = tripped()
    breaker.excluded(breaker.admit(2.0), 2.5)
    assert breaker.state is State.OPEN
    assert breaker.ready_at(2.5) == 2.5


def test_a_probe_that_says_nothing_makes_room_after_a_while() -> None:
    breaker = tripped()
    silent = breaker.admit(2.0)
    second = breaker.admit(breaker.ready_at(2.0))
    breaker.failed(silent, 100.0)
    assert breaker.state is State.HALF_OPEN
    breaker.succeeded(second, 100.0)
    assert breaker.state is State.CLOSED


def test_excluded_results_neither_trip_nor_mend_a_closed_breaker() -> None:
    breaker = Breaker(POLICY)
    breaker.failed(breaker.admit(0.0), 0.0)
    for _ in range(20):
        breaker.excluded(breaker.admit(0.0), 0.0)
    assert (breaker.state, breaker.failures) == (State.CLOSED, 1)


STEPS = st.lists(
    st.tuples(st.sampled_from(["succeeded", "failed", "excluded", "keep"]), st.floats(0.0, 20.0)),
    max_size=80,
)


@given(STEPS)
def test_there_is_never_more_than_one_probe_and_it_never_stays_shut_for_ever(
    steps: list[tuple[str, float]],
) -> None:
    breaker, now = Breaker(POLICY), 0.0
    for outcome, wait_s in steps:
        now += wait_s
        ready_at = breaker.ready_at(now)
        assert now <= ready_at <= now + POLICY.probe_s
        if ready_at > now:
            continue
        was_closed = breaker.state is State.CLOSED
        generation = breaker.admit(now)
        assert was_closed or breaker.ready_at(now) > now, "a second probe would be admitted"
        if outcome != "keep":
            getattr(breaker, outcome)(generation, now)


def test_the_first_token_of_a_probe_lets_traffic_flow_and_its_end_still_counts() -> None:
    breaker = Breaker(BreakerPolicy(consecutive=2, open_s=2.0))
    for _ in range(2):
        breaker.failed(breaker.admit(0.0), 0.0)
    probe = breaker.admit(2.0)
    assert breaker.ready_at(3.0) > 3.0

    breaker.alive(probe, 3.0)
    assert breaker.state is State.CLOSED
    assert breaker.ready_at(3.0) == 3.0

    breaker.failed(probe, 4.0)
    breaker.failed(breaker.admit(4.0), 4.0)
    assert breaker.state is State.OPEN
