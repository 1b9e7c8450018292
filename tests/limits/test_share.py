from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.limits.bucket import Bucket, Dimension
from sidecar.limits.share import Fleet, beginning_us, shared, takes_turns, turn_us
from tests.limits.meters import overrun, requests, seats, tokens

FLEETS = st.integers(1, 50)


@given(st.integers(1, 500), st.integers(1, 500), FLEETS)
def test_all_shares_together_are_never_more_than_the_bucket(
    limit: int, burst: int, pods: int
) -> None:
    bucket = requests(limit=limit, burst=burst)
    parts = [shared(bucket, Fleet(pods, rank)) for rank in range(pods)]
    divided = [part for part in parts if part is not None]
    if not takes_turns(bucket, Fleet(pods, 0)):
        assert sum(part.burst for part in divided) <= burst
    assert sum(part.limit / part.per_s for part in divided) <= 1.000001 * limit / 60.0


@given(st.integers(1, 500), FLEETS)
def test_all_seats_together_are_never_more_than_the_bucket(limit: int, pods: int) -> None:
    parts = [shared(seats(limit=limit), Fleet(pods, rank)) for rank in range(pods)]
    assert sum(part.limit for part in parts if part is not None) <= limit


def test_seats_fewer_than_pods_go_to_the_first_by_rank() -> None:
    parts = [shared(seats(limit=2), Fleet(4, rank)) for rank in range(4)]
    assert [part is not None for part in parts] == [True, True, False, False]


def test_a_pod_that_does_not_know_its_rank_takes_no_seat_that_cannot_be_divided() -> None:
    assert shared(seats(limit=2), Fleet(4)) is None


def test_tokens_that_cannot_be_divided_wait_for_the_store() -> None:
    assert shared(tokens(burst=3), Fleet(4, 0)) is None


@given(st.integers(1, 600), st.integers(2, 20), st.data())
def test_pods_that_take_turns_send_like_one_sender(
    limit: int, pods: int, data: st.DataObject
) -> None:
    bucket = requests(limit=limit, burst=1)
    left = []
    for rank in range(pods):
        now = data.draw(st.floats(1e6, 1e8))
        for _ in range(5):
            now = turn_us(bucket, Fleet(pods, rank), now)
            left.append((now / 1e6, 1.0))
            now += 1.0
    assert overrun(left, bucket) <= 1e-3


def test_a_turn_is_never_in_the_past() -> None:
    bucket = Bucket("b", "p", Dimension.REQUESTS, 7, 3.0, 1)
    assert all(turn_us(bucket, Fleet(3, 1), at) >= at - 1e-3 for at in (0.0, 1.0, 428571.5, 9e9))


def test_a_share_begins_empty_and_after_what_was_reserved_ahead() -> None:
    bucket = requests(limit=60, burst=10)
    assert beginning_us(bucket, 5e6) == 5e6 + 10e6 + 1e6
