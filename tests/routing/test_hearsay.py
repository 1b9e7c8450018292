"""What a breaker makes of other pods' words."""

from __future__ import annotations

from sidecar.routing.breaker import TRUST_S, Breaker, BreakerPolicy, State

POLICY = BreakerPolicy(consecutive=2, open_s=2.0)


def tripped(now: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.consecutive):
        breaker.failed(breaker.admit(now), now)
    return breaker


def test_what_is_broken_elsewhere_is_not_asked_here() -> None:
    breaker = Breaker(POLICY)
    assert breaker.heard(5.0, 1.0)
    assert (breaker.state, breaker.ready_at(1.0)) == (State.OPEN, 5.0)


def test_after_that_one_probe_goes_out() -> None:
    breaker = Breaker(POLICY)
    breaker.heard(5.0, 1.0)
    breaker.admit(5.0)
    assert breaker.state is State.HALF_OPEN
    assert breaker.ready_at(5.0) > 5.0


def test_a_pod_with_a_good_answer_of_its_own_trusts_its_eyes() -> None:
    breaker = Breaker(POLICY)
    breaker.succeeded(breaker.admit(1.0), 1.0)
    assert not breaker.heard(5.0, 1.0 + TRUST_S / 2)
    assert breaker.state is State.CLOSED
    assert breaker.heard(5.0, 1.0 + TRUST_S)


def test_news_from_the_past_is_no_news() -> None:
    breaker = Breaker(POLICY)
    assert not breaker.heard(1.0, 2.0)


def test_a_longer_rest_elsewhere_is_kept_here_too() -> None:
    breaker = tripped()
    breaker.heard(9.0, 1.0)
    assert breaker.ready_at(1.0) == 9.0


def test_what_was_only_heard_ends_with_the_word_of_a_good_answer() -> None:
    breaker = Breaker(POLICY)
    breaker.heard(5.0, 1.0)
    breaker.heard_closed(2.0)
    assert breaker.state is State.CLOSED


def test_what_was_seen_may_be_looked_at_again_at_once() -> None:
    breaker = tripped()
    breaker.heard_closed(0.5)
    assert (breaker.state, breaker.ready_at(0.5)) == (State.OPEN, 0.5)


def test_a_probe_of_ones_own_is_no_matter_of_hearsay() -> None:
    breaker = tripped()
    generation = breaker.admit(2.0)
    breaker.heard(50.0, 2.5)
    breaker.heard_closed(2.5)
    assert breaker.state is State.HALF_OPEN
    breaker.succeeded(generation, 3.0)
    assert breaker.state is State.CLOSED
