from __future__ import annotations

from sidecar.limits.book import Ask, Chosen, Class, Waits, amounts_of
from sidecar.limits.bucket import Bucket, Cost
from sidecar.limits.local import AGAIN_US, LocalShare
from sidecar.limits.script import Seen
from sidecar.limits.share import Fleet
from tests.limits.meters import requests, seats, tokens

PLAIN = Class("plain")
BEGAN = 1e9
LATER = BEGAN + 3600e6
ONE = Cost()


def ask(cost: Cost = ONE, lease: str = "l") -> Ask:
    return Ask(amounts_of(cost), PLAIN, 0.0, 15e6, lease)


def alone(pods: int, rank: int = 0, seen: dict[str, Seen] | None = None) -> LocalShare:
    return LocalShare(Fleet(pods, rank), seen or {}, BEGAN)


def fill(share: LocalShare, now: float, *buckets: Bucket, cost: Cost = ONE) -> int:
    count = 0
    while isinstance(share.decide([(0.0, buckets)], ask(cost, f"l{count}"), now), Chosen):
        count += 1
    return count


def test_a_share_holds_nothing_at_first() -> None:
    assert fill(alone(2), BEGAN, requests(limit=60, burst=10)) == 0


def test_a_share_that_has_refilled_holds_its_part_of_the_burst() -> None:
    assert fill(alone(2), LATER, requests(limit=60, burst=10)) == 5


def test_open_means_the_whole_limit_at_once() -> None:
    share = LocalShare(Fleet(1), {}, BEGAN, whole=True)
    assert fill(share, BEGAN, requests(limit=60, burst=10)) == 10


def test_takes_name_the_whole_bucket_not_the_part() -> None:
    bucket = requests(limit=60, burst=10)
    chosen = alone(2).decide([(0.0, (bucket,))], ask(), LATER)
    assert isinstance(chosen, Chosen)
    assert chosen.takes[0].bucket == bucket


def test_a_key_without_a_part_leaves_the_choice_to_the_others() -> None:
    share = alone(4, rank=3)
    chosen = share.decide([(0.0, (seats(limit=2),)), (0.0, (requests(burst=8),))], ask(), LATER)
    assert isinstance(chosen, Chosen)
    assert chosen.index == 1


def test_what_only_the_store_can_give_is_asked_for_again_soon() -> None:
    waits = alone(4, rank=3).decide([(0.0, (seats(limit=2),))], ask(), LATER)
    assert isinstance(waits, Waits)
    assert waits.leave == LATER + AGAIN_US


def test_a_request_dearer_than_the_part_is_not_called_too_dear() -> None:
    waits = alone(4).decide([(0.0, (tokens(burst=400),))], ask(Cost(1, 101)), LATER)
    assert isinstance(waits, Waits)
    assert waits.leave == LATER + AGAIN_US


def test_a_lesson_about_seats_is_divided_too() -> None:
    bucket = seats(limit=500)
    seen = {bucket.id: Seen(0.0, 0.0, 0.0, 40, 40)}
    assert fill(alone(4, seen=seen), BEGAN, bucket) == 10


def test_a_retry_after_heard_before_still_holds() -> None:
    bucket = requests(burst=8)
    seen = {bucket.id: Seen(0.0, 1e6, LATER + 5e6, 60, 0)}
    waits = alone(2, seen=seen).decide([(0.0, (bucket,))], ask(), LATER)
    assert isinstance(waits, Waits)
    assert waits.leave == LATER + 5e6


def test_what_was_taken_alone_is_owed_to_the_store() -> None:
    share, bucket = alone(2), requests(limit=60, burst=10)
    fill(share, LATER, bucket)
    (debt,) = share.debts(LATER)
    assert (debt.kind, debt.bucket, debt.rest) == ("debt", bucket, (5,))


def test_what_has_been_refilled_since_is_not_owed() -> None:
    share, bucket = alone(2), requests(limit=60, burst=10)
    fill(share, LATER, bucket)
    assert share.debts(LATER + 3600e6) == []


def test_a_seat_taken_alone_is_given_back_alone() -> None:
    share, bucket = alone(2), seats(limit=2)
    chosen = share.decide([(0.0, (bucket,))], ask(), LATER)
    assert isinstance(chosen, Chosen)
    share.settle(chosen.takes[0], "l", 1, PLAIN, LATER)
    assert fill(share, LATER, bucket) == 1
