"""What targets were like is remembered, each apart, and not for ever."""

from __future__ import annotations

from sidecar.failover.experience import ENOUGH, MOST_TARGETS, REMEMBERED, Experience, FirstTokens
from sidecar.failover.retries import RetryLimits


def test_too_few_first_tokens_say_nothing() -> None:
    firsts = FirstTokens()
    for _ in range(ENOUGH - 1):
        firsts.saw(1.0)
    assert firsts.quantile(0.95) is None


def test_the_percentile_is_one_that_nineteen_in_twenty_do_not_exceed() -> None:
    firsts = FirstTokens()
    for tenths in range(REMEMBERED):
        firsts.saw(tenths / 10)
    assert firsts.quantile(0.95) == 9.5


def test_what_is_long_ago_is_forgotten() -> None:
    firsts = FirstTokens()
    for _ in range(REMEMBERED):
        firsts.saw(9.0)
    for _ in range(REMEMBERED):
        firsts.saw(1.0)
    assert firsts.quantile(0.99) == 1.0


def test_targets_are_known_apart() -> None:
    known = Experience(RetryLimits(share=0.0, at_least_per_s=0.1))
    assert known.of("a/m").retries.take(0.0)
    assert dict(known.retries_left(0.0)) == {"a/m": 0.0}
    assert known.of("b/m").retries.take(0.0)


def test_new_limits_count_anew_and_equal_ones_go_on() -> None:
    known = Experience(RetryLimits(share=0.0, at_least_per_s=0.1))
    known.of("a/m").retries.take(0.0)
    known.configure(RetryLimits(share=0.0, at_least_per_s=0.1))
    assert not known.of("a/m").retries.take(0.0)
    known.configure(RetryLimits(share=0.0, at_least_per_s=0.2))
    assert known.of("a/m").retries.take(0.0)


def test_names_that_nobody_asks_for_any_more_are_forgotten() -> None:
    known = Experience()
    for number in range(MOST_TARGETS + 10):
        known.of(f"a/{number}")
    assert len(list(known.retries_left(0.0))) == MOST_TARGETS
