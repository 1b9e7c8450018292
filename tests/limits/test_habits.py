from __future__ import annotations

from sidecar.limits.habits import LONGEST_WAIT_S, SHORTEST_WAIT_S, HoldTimes, Line, Recency
from tests.limits.meters import one, seats

KEYS = [one(key=name) for name in "abc"]


def test_who_was_never_used_comes_first() -> None:
    recency = Recency()
    recency.use("a")
    assert recency.order(KEYS) == [1, 2, 0]


def test_who_was_used_last_comes_last() -> None:
    recency = Recency()
    for key in "cab":
        recency.use(key)
    assert recency.order(KEYS) == [2, 0, 1]


def test_seats_come_free_at_the_limit_over_the_holding_time() -> None:
    holds, bucket = HoldTimes(), seats(limit=100)
    holds.learn(bucket, 10e6)
    assert holds.wait_s(bucket) == 0.1


def test_other_pods_that_wait_make_one_ask_less_often() -> None:
    holds, bucket = HoldTimes(), seats(limit=100)
    holds.learn(bucket, 10e6)
    assert holds.wait_s(bucket, pods=4) == 0.4


def test_the_guess_stays_within_its_bounds() -> None:
    holds, one_seat, many = HoldTimes(), seats("one", limit=1), seats("many", limit=10**6)
    holds.learn(one_seat, 600e6)
    holds.learn(many, 1e6)
    assert (holds.wait_s(one_seat), holds.wait_s(many)) == (LONGEST_WAIT_S, SHORTEST_WAIT_S)


def test_a_very_large_fleet_together_asks_no_more_than_a_thousand_times_a_second() -> None:
    holds, bucket = HoldTimes(), seats(limit=10)
    holds.learn(bucket, 60e6)
    assert holds.wait_s(bucket, pods=1000) == LONGEST_WAIT_S
    assert holds.wait_s(bucket, pods=10_000) == 10.0


def test_before_anything_was_held_a_short_wait_is_guessed() -> None:
    assert 0.0 < HoldTimes().wait_s(seats()) <= 0.1


def test_a_place_in_the_line_is_kept_until_it_is_left() -> None:
    line = Line()
    line.put("a", 5.0)
    assert (line.due("a"), line.due("b")) == (5.0, 0.0)
    line.leave("a")
    assert line.due("a") == 0.0
