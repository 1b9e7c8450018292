"""What every store promises; each test runs over each store."""

from __future__ import annotations

import math

import pytest

from sidecar.core.request import Priority
from sidecar.limits.bucket import Cost
from sidecar.limits.store import Granted, Observation, Refused
from tests.limits.meters import one, requests, seats, tokens
from tests.limits.worlds import World

BATCH = Priority.BATCH
GONE = Cost(0)


async def test_a_burst_passes_at_once_and_then_one_per_interval(world: World) -> None:
    bucket = requests(limit=60, burst=3)
    assert len(await world.fill(bucket)) == 3
    world.move(1.0)
    assert len(await world.fill(bucket)) == 1


async def test_a_refusal_says_when(world: World) -> None:
    bucket = requests(limit=60, burst=3)
    await world.fill(bucket)
    refused = await world.refusal(bucket)
    assert refused.ready_at - world.clock.now() == pytest.approx(1.0)
    assert refused.bucket == bucket


async def test_a_slot_within_the_horizon_is_reserved_ahead(world: World) -> None:
    bucket = requests(limit=60, burst=1)
    await world.grant(bucket)
    granted = await world.grant(bucket, horizon_s=1.0)
    assert granted.leave_at - world.clock.now() == pytest.approx(1.0)


async def test_beyond_the_horizon_nothing_is_taken_and_the_time_to_ask_is_told(
    world: World,
) -> None:
    bucket = requests(limit=60, burst=1)
    await world.grant(bucket)
    await world.grant(bucket, horizon_s=1.0)
    refused = await world.refusal(bucket, horizon_s=0.5)
    assert refused.ready_at - world.clock.now() == pytest.approx(2.0)
    assert refused.ask_at - world.clock.now() == pytest.approx(1.5)


async def test_all_buckets_are_taken_or_none(world: World) -> None:
    wide, narrow = requests("wide", burst=5), requests("narrow", burst=1)
    await world.grant(narrow)
    await world.refusal(wide, narrow)
    assert len(await world.fill(wide)) == 5


async def test_the_key_with_the_least_wait_is_chosen(world: World) -> None:
    spent, fresh = requests("spent", burst=1), requests("fresh", burst=1)
    await world.grant(spent)
    answer = await world.take(one(spent, key="a"), one(fresh, key="b"))
    assert isinstance(answer, Granted)
    assert answer.index == 1


async def test_among_equal_waits_the_largest_free_share_is_chosen(world: World) -> None:
    fuller, emptier = requests("fuller", burst=4), requests("emptier", burst=4)
    await world.grant(fuller)
    answer = await world.take(one(fuller, key="a"), one(emptier, key="b"))
    assert isinstance(answer, Granted)
    assert (answer.index, answer.share) == (1, 1.0)


async def test_among_equal_shares_the_least_recently_used_is_chosen(world: World) -> None:
    keys = [one(key=name) for name in "abc"]
    chosen = [await world.take(*keys) for _ in range(6)]
    assert [answer.index for answer in chosen if isinstance(answer, Granted)] == [0, 1, 2] * 2


async def test_round_robin_goes_on_to_the_next_key_whatever_its_share(world: World) -> None:
    small, large = requests("small", burst=10), requests("large", burst=1000, limit=1000)
    keys = [one(small, key="a"), one(large, key="b")]
    chosen = [await world.take(*keys, policy="round_robin") for _ in range(4)]
    assert [answer.index for answer in chosen if isinstance(answer, Granted)] == [0, 1, 0, 1]


async def test_no_candidate_is_never(world: World) -> None:
    assert await world.take() == Refused(math.inf, math.inf)


async def test_a_request_dearer_than_the_bucket_is_never_possible(world: World) -> None:
    bucket = tokens(burst=100)
    refused = await world.refusal(bucket, cost=Cost(1, 101))
    assert (refused.never, refused.bucket, refused.ready_at) == (True, bucket, math.inf)


async def test_a_candidate_that_never_becomes_ready_is_not_called_too_dear(world: World) -> None:
    answer = await world.take(one(requests(), ready_at=math.inf))
    assert answer == Refused(math.inf, math.inf)


async def test_a_resting_candidate_waits_for_its_time(world: World) -> None:
    at = world.clock.now() + 5.0
    answer = await world.take(one(requests(), ready_at=at))
    assert isinstance(answer, Refused)
    assert (answer.ready_at, answer.bucket) == (pytest.approx(at), None)


async def test_a_candidate_without_limits_leaves_at_once(world: World) -> None:
    assert (await world.grant()).leave_at == pytest.approx(world.clock.now())


async def test_a_request_that_never_left_gives_everything_back(world: World) -> None:
    bucket = requests(burst=1)
    granted = await world.grant(bucket)
    await world.settle(granted.reservation, GONE)
    await world.grant(bucket)


async def test_settling_twice_gives_back_once(world: World) -> None:
    bucket = requests(burst=2)
    first, _ = await world.fill(bucket)
    await world.settle(first.reservation, GONE)
    await world.settle(first.reservation, GONE)
    assert len(await world.fill(bucket)) == 1


async def test_tokens_that_were_not_used_come_back(world: World) -> None:
    bucket = tokens(burst=1000)
    granted = await world.grant(bucket, cost=Cost(1, 100, 900))
    await world.settle(granted.reservation, Cost(1, 100, 300))
    await world.grant(bucket, cost=Cost(1, 600))


async def test_no_more_tokens_come_back_than_were_not_used(world: World) -> None:
    bucket = tokens(burst=1000)
    granted = await world.grant(bucket, cost=Cost(1, 100, 900))
    await world.settle(granted.reservation, Cost(1, 100, 300))
    await world.refusal(bucket, cost=Cost(1, 601))


async def test_tokens_beyond_the_estimate_are_owed(world: World) -> None:
    bucket = tokens(limit=6000, burst=1000)
    granted = await world.grant(bucket, cost=Cost(1, 1000))
    await world.settle(granted.reservation, Cost(1, 1000, 500))
    refused = await world.refusal(bucket, cost=Cost(1, 100))
    assert refused.ready_at - world.clock.now() == pytest.approx(6.0)


async def test_a_late_refund_does_not_let_the_refilled_part_pass_twice(world: World) -> None:
    bucket = tokens(limit=6000, burst=6000)
    slow = await world.grant(bucket, cost=Cost(1, 6000))
    world.move(60.0)
    whole = await world.grant(bucket, cost=Cost(1, 6000))
    await world.settle(slow.reservation, Cost(1, 300))
    await world.refusal(bucket, cost=Cost(1, 1))
    await world.settle(whole.reservation, Cost(1, 6000))


async def test_a_request_that_was_free_takes_nothing_from_a_token_bucket(world: World) -> None:
    bucket = tokens(burst=10)
    await world.grant(bucket, cost=Cost(1, 10))
    await world.grant(bucket, cost=Cost(1, 0, 0))


async def test_no_more_than_the_limit_is_in_flight(world: World) -> None:
    assert len(await world.fill(seats(limit=3))) == 3


async def test_a_settled_request_gives_its_seat_back(world: World) -> None:
    bucket = seats(limit=1)
    granted = await world.grant(bucket)
    await world.settle(granted.reservation, Cost(1, 5, 5))
    await world.grant(bucket)


async def test_a_seat_whose_holder_fell_silent_comes_back(world: World) -> None:
    bucket = seats(limit=1)
    await world.grant(bucket, lease_s=15.0)
    world.move(15.0)
    await world.grant(bucket)


async def test_a_stream_that_moves_keeps_its_seat(world: World) -> None:
    bucket = seats(limit=1)
    granted = await world.grant(bucket, lease_s=15.0)
    world.move(10.0)
    await world.renew(granted.reservation)
    world.move(10.0)
    await world.refusal(bucket)


async def test_renewing_after_the_end_takes_no_seat(world: World) -> None:
    bucket = seats(limit=1)
    granted = await world.grant(bucket)
    await world.settle(granted.reservation, Cost())
    await world.renew(granted.reservation)
    await world.grant(bucket)


async def test_a_full_house_is_asked_again_soon(world: World) -> None:
    bucket = seats(limit=1)
    await world.grant(bucket)
    refused = await world.refusal(bucket)
    assert 0.0 < refused.ready_at - world.clock.now() <= 1.0


async def test_a_free_seat_is_preferred_to_a_house_that_is_full(world: World) -> None:
    full, free, slow = seats("full", 1), seats("free", 1), requests("slow", limit=6, burst=1)
    await world.grant(full)
    await world.grant(slow)
    answer = await world.take(one(full, key="a"), one(free, slow, key="b"), horizon_s=10.0)
    assert isinstance(answer, Granted)
    assert answer.index == 1


async def test_a_retry_after_holds_the_bucket_back(world: World) -> None:
    bucket = requests()
    await world.grant(bucket)
    await world.observe(bucket, Observation(wait_s=30.0))
    refused = await world.refusal(bucket)
    assert refused.ready_at - world.clock.now() == pytest.approx(30.0)


async def test_a_shorter_retry_after_never_shortens_a_longer_one(world: World) -> None:
    bucket = requests()
    await world.grant(bucket)
    await world.observe(bucket, Observation(wait_s=30.0))
    await world.observe(bucket, Observation(wait_s=1.0))
    refused = await world.refusal(bucket)
    assert refused.ready_at - world.clock.now() == pytest.approx(30.0)


async def test_what_the_provider_has_left_tightens(world: World) -> None:
    bucket = requests(burst=10)
    await world.grant(bucket)
    await world.observe(bucket, Observation(remaining=2))
    assert len(await world.fill(bucket)) == 2


async def test_what_the_provider_has_left_never_loosens(world: World) -> None:
    bucket = requests(burst=3)
    await world.fill(bucket)
    await world.observe(bucket, Observation(remaining=50))
    await world.refusal(bucket)


async def test_a_refusal_without_numbers_empties_a_rate(world: World) -> None:
    bucket = requests(burst=10)
    await world.grant(bucket)
    await world.observe(bucket, Observation(refused=True))
    await world.refusal(bucket)


async def test_a_refusal_with_numbers_resyncs_exactly(world: World) -> None:
    bucket = tokens(limit=10_000, burst=10_000)
    await world.grant(bucket, cost=Cost(1, 10))
    await world.observe(bucket, Observation(limit=10_000, used=9_500, refused=True))
    await world.grant(bucket, cost=Cost(1, 500))
    await world.refusal(bucket, cost=Cost(1, 1))


async def test_a_lower_limit_from_a_header_slows_the_bucket(world: World) -> None:
    bucket = requests(limit=60, burst=10)
    await world.grant(bucket)
    await world.observe(bucket, Observation(limit=30))
    world.move(100.0)
    assert await world.use([bucket], 60.0) == 9 + 30


async def test_a_lower_limit_is_forgotten_when_it_is_not_heard_again(world: World) -> None:
    bucket = requests(limit=60, burst=10)
    await world.grant(bucket)
    await world.observe(bucket, Observation(limit=30))
    world.move(700.0)
    assert await world.use([bucket], 60.0) == 9 + 60


async def test_a_higher_limit_from_a_header_changes_nothing(world: World) -> None:
    bucket = requests(limit=60, burst=10)
    await world.grant(bucket)
    await world.observe(bucket, Observation(limit=6000))
    world.move(100.0)
    assert await world.use([bucket], 60.0) == 9 + 60


async def test_a_limit_for_another_window_is_not_taken_for_ours(world: World) -> None:
    bucket = requests(limit=60, burst=10, per_s=60.0)
    await world.grant(bucket)
    await world.observe(bucket, Observation(limit=30, per_s=86400.0))
    world.move(100.0)
    assert await world.use([bucket], 60.0) == 9 + 60


async def test_a_concurrency_limit_that_is_told_holds_from_now_on(world: World) -> None:
    bucket = seats(limit=500)
    await world.grant(bucket)
    await world.observe(bucket, Observation(limit=39, used=40, refused=True))
    assert len(await world.fill(bucket)) == 38


async def test_a_refusal_that_tells_nothing_cuts_the_concurrency(world: World) -> None:
    bucket = seats(limit=10)
    await world.fill(bucket, lease_s=0.5)
    await world.observe(bucket, Observation(refused=True))
    world.move(0.5)
    assert len(await world.fill(bucket)) == 7


async def test_what_is_said_of_an_unknown_bucket_is_ignored(world: World) -> None:
    world.store.observe("nobody", Observation(wait_s=9.0))
    assert world.store.snapshot() == ()


async def test_batch_leaves_a_part_of_the_burst_to_others(world: World) -> None:
    bucket = requests(limit=60, burst=10)
    await world.fill(bucket, priority=BATCH)
    assert len(await world.fill(bucket, priority=Priority.INTERACTIVE)) >= 2


async def test_batch_can_use_an_idle_bucket_that_holds_one(world: World) -> None:
    await world.grant(requests(burst=1), priority=BATCH)


async def test_batch_leaves_seats_to_others(world: World) -> None:
    bucket = seats(limit=10)
    assert len(await world.fill(bucket, priority=BATCH)) == 7
    assert len(await world.fill(bucket)) == 3


async def test_batch_keeps_its_guarantee_of_seats(world: World) -> None:
    bucket = seats(limit=10)
    for granted in (await world.fill(bucket))[:1]:
        await world.settle(granted.reservation, Cost())
    assert len(await world.fill(bucket, priority=BATCH)) == 1


async def test_batch_gets_its_guarantee_under_endless_interactive_load(world: World) -> None:
    bucket = requests(limit=600, burst=20)
    batch = 0
    for _ in range(900):
        world.move(0.1)
        answer = await world.take(one(bucket), priority=BATCH)
        batch += isinstance(answer, Granted)
        await world.fill(bucket, priority=Priority.INTERACTIVE, horizon_s=0.5)
    assert batch >= 0.95 * 0.1 * 900


async def test_a_hint_of_readiness_agrees_with_the_refusal(world: World) -> None:
    bucket = requests(burst=1)
    await world.grant(bucket)
    refused = await world.refusal(bucket)
    assert world.store.ready_at(one(bucket), Cost()) == pytest.approx(refused.ready_at)


async def test_a_hint_of_readiness_is_never_for_what_cannot_fit(world: World) -> None:
    assert world.store.ready_at(one(tokens(burst=5)), Cost(1, 6)) == math.inf


async def test_the_snapshot_shows_limit_free_and_next(world: World) -> None:
    bucket = requests(limit=60, burst=2)
    await world.fill(bucket)
    (state,) = world.store.snapshot()
    assert (state.bucket, state.limit_now, state.source, state.free_now) == (
        bucket, 60, "config", 0,
    )  # fmt: skip
    assert state.next_free_at - world.clock.now() == pytest.approx(1.0)


async def test_the_snapshot_says_what_was_learned(world: World) -> None:
    bucket = seats(limit=500)
    await world.grant(bucket)
    await world.observe(bucket, Observation(limit=39))
    (state,) = world.store.snapshot()
    assert (state.limit_now, state.source, state.free_now) == (39, "learned", 38)


async def test_a_changed_limit_keeps_what_was_used(world: World) -> None:
    await world.fill(requests(limit=60, burst=10))
    slower = requests(limit=30, burst=10)
    refused = await world.refusal(slower)
    assert refused.ready_at - world.clock.now() == pytest.approx(2.0)


async def test_a_request_held_back_by_one_bucket_is_charged_when_it_leaves(world: World) -> None:
    slow, fast = requests("slow", limit=60, burst=1), requests("fast", limit=600, burst=10)
    await world.grant(slow)
    await world.grant(slow, fast, horizon_s=1.0)
    world.move(1.0)
    assert len(await world.fill(fast)) == 9
