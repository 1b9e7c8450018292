"""The one place that waits: for the smallest of all obstacles, and never past the deadline."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.failure import Cause, Failure, Reason, RequestFailed
from sidecar.failover.session import Session
from sidecar.gateway.lease import LEASE_S, Lease
from sidecar.gateway.search import Want
from sidecar.limits.bucket import Cost
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import MODEL, PLAIN, House, settled_down

ONE_AT_A_TIME = "{requests: 60, per: 60s, burst: 1}"
SEAT = "{concurrency: 1}"


def rest(house: House, alias: str, cause: Cause, told_s: float | None = None) -> None:
    key = next(key for key in house.keys if key.alias == alias)
    model = MODEL if key.provider == "deepseek" else "fake-12"
    failure = Failure(cause, "it failed", retry_after_s=told_s)
    house.engine.ring.failed(key, model, failure, house.clock.now())


def trip(house: House, provider: str = "deepseek", model: str = MODEL) -> float:
    """Open the breaker; from when it lets a probe through."""
    breaker = house.line(provider, model).breaker
    for _ in range(5):
        breaker.failed(breaker.admit(house.clock.now()), house.clock.now())
    ready_at: float = breaker.ready_at(house.clock.now())
    return ready_at


async def refused(house: House, **more: object) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        await house.acquire(**more)  # type: ignore[arg-type]
    return caught.value


def where(lease: Lease) -> tuple[str, str]:
    return lease.key.provider, lease.key.alias


# -- the smallest of all ---------------------------------------------------------------------


@in_virtual_time
async def test_with_nothing_in_the_way_nobody_waits() -> None:
    house = House()
    lease = await house.acquire()
    assert (where(lease), lease.waited_s) == (("deepseek", "a1"), 0.0)


@in_virtual_time
async def test_an_empty_bucket_is_waited_for_and_no_longer() -> None:
    house = House(limits=ONE_AT_A_TIME)
    await house.acquire()
    lease = await house.acquire()
    assert lease.waited_s == pytest.approx(1.0, abs=0.002)
    assert lease.waited_s >= 1.0


@in_virtual_time
async def test_a_resting_key_is_passed_over_for_another() -> None:
    house = House(aliases=("a1", "a2"))
    rest(house, "a1", Cause.CREDENTIAL)
    lease = await house.acquire()
    assert (where(lease), lease.waited_s) == (("deepseek", "a2"), 0.0)


@in_virtual_time
async def test_a_resting_key_that_is_alone_is_waited_for() -> None:
    house = House()
    rest(house, "a1", Cause.RATE_LIMITED, 40.0)
    lease = await house.acquire()
    assert lease.waited_s == pytest.approx(40.0, abs=0.01)


@in_virtual_time
async def test_an_open_breaker_is_failed_over() -> None:
    house = House()
    trip(house)
    assert where(await house.acquire("both")) == ("second", "b1")


@in_virtual_time
async def test_an_open_breaker_that_is_alone_is_waited_for() -> None:
    house = House()
    ready_at = trip(house)
    await house.acquire()
    assert house.clock.now() == pytest.approx(ready_at, abs=0.01)


@in_virtual_time
async def test_the_better_target_is_waited_for_within_patience() -> None:
    house = House()
    rest(house, "a1", Cause.RATE_LIMITED, 0.2)
    assert where(await house.acquire("both")) == ("deepseek", "a1")


@in_virtual_time
async def test_beyond_patience_the_worse_one_is_taken_at_once() -> None:
    house = House()
    rest(house, "a1", Cause.RATE_LIMITED, 0.3)
    lease = await house.acquire("both")
    assert (where(lease), lease.waited_s) == (("second", "b1"), 0.0)


@in_virtual_time
async def test_nobody_waits_for_the_better_one_beyond_the_deadline() -> None:
    house = House()
    rest(house, "a1", Cause.RATE_LIMITED, 0.2)
    assert where(await house.acquire("both", timeout_s=0.1)) == ("second", "b1")


@in_virtual_time
async def test_of_two_obstacles_the_longer_one_counts() -> None:
    house = House()
    trip(house)
    rest(house, "a1", Cause.RATE_LIMITED, 9.0)
    await house.acquire()
    assert house.clock.now() == pytest.approx(9.0, abs=0.01)


@in_virtual_time
async def test_the_backoff_of_this_request_binds_this_request_alone() -> None:
    house = House()
    one, other = house.session(), house.session()
    line = house.line("deepseek")
    one.failed(
        one.begin(0, "a1", line.target.resume, 0.0, 0.0),
        Failure(Cause.OVERLOADED, "x", 0, "", 5.0),
        0.0,
    )
    await house.acquire_for(other)
    assert house.clock.now() == 0.0
    await house.acquire_for(one)
    assert house.clock.now() == pytest.approx(5.0, abs=0.01)


@in_virtual_time
async def test_a_seat_given_back_wakes_whoever_waits_for_it() -> None:
    house = House(limits=SEAT)
    first = await house.acquire()
    waiting = asyncio.get_running_loop().create_task(house.acquire())
    await asyncio.sleep(3.0)
    assert not waiting.done()
    house.settle(first.reservation)
    await settled_down()
    assert waiting.done()
    assert house.clock.now() == pytest.approx(3.0, abs=0.001)


@in_virtual_time
async def test_what_changed_during_the_wait_is_looked_at_again() -> None:
    """The slot is committed; then the key is refused to somebody else, and must not be used."""
    house = House(limits=f"{ONE_AT_A_TIME}, {{concurrency: 9}}")
    await house.acquire()
    await asyncio.sleep(0.6)
    waiting = asyncio.get_running_loop().create_task(refused(house))
    await asyncio.sleep(0.1)
    assert house.free() == {"requests": 0, "concurrency": 7}
    rest(house, "a1", Cause.CREDENTIAL)
    assert (await waiting).reason is Reason.KEYS_REJECTED
    assert house.clock.now() == pytest.approx(1.0, abs=0.01)
    assert house.free()["concurrency"] == 8


@in_virtual_time
async def test_half_open_one_request_goes_and_the_others_wait() -> None:
    house = House()
    trip(house)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(house.acquire()) for _ in range(5)]
    await asyncio.sleep(4.0)
    assert sum(task.done() for task in tasks) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


# -- refusals --------------------------------------------------------------------------------


@in_virtual_time
async def test_a_bucket_that_is_free_too_late_is_named_with_its_time() -> None:
    house = House(limits=f"{{tokens: 1000000, per: 60s, burst: 1000000}}, {ONE_AT_A_TIME}")
    await house.acquire()
    error = await refused(house, timeout_s=0.3)
    assert error.reason is Reason.DEADLINE_TOO_SHORT
    assert error.retry_after_s == pytest.approx(1.0, abs=0.01)
    assert [v.subject for v in error.violations] == [error.metadata["subject"]]
    assert "requests" in error.metadata["subject"]
    assert house.clock.now() == 0.0


@in_virtual_time
async def test_a_wait_for_a_seat_that_nobody_gives_back_ends_with_the_deadline() -> None:
    house = House(limits=SEAT)
    await house.acquire()
    error = await refused(house, timeout_s=2.0)
    assert error.reason is Reason.DEADLINE_EXCEEDED
    assert house.clock.now() == pytest.approx(2.0, abs=0.002)


@in_virtual_time
async def test_a_rate_limited_account_is_a_bucket_to_the_caller() -> None:
    house = House()
    rest(house, "a1", Cause.RATE_LIMITED, 50.0)
    error = await refused(house, timeout_s=10.0)
    assert error.reason is Reason.DEADLINE_TOO_SHORT
    assert error.retry_after_s == pytest.approx(50.0)
    assert error.metadata["subject"] == f"deepseek/account/team/{MODEL}"


@in_virtual_time
async def test_an_open_breaker_is_no_target_ready() -> None:
    house = House()
    ready_at = trip(house)
    error = await refused(house, timeout_s=1.0)
    assert error.reason is Reason.NO_TARGET_READY
    assert error.retry_after_s == pytest.approx(ready_at)
    assert error.metadata["obstacle"] == "breaker"


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (Cause.CREDENTIAL, Reason.KEYS_REJECTED),
        (Cause.REGION, Reason.KEYS_REJECTED),
        (Cause.MODEL_ACCESS, Reason.KEYS_REJECTED),
        (Cause.QUOTA, Reason.SPEND_LIMIT),
    ],
)
@in_virtual_time
async def test_with_every_key_disabled_the_operator_is_told(cause: Cause, reason: Reason) -> None:
    house = House(aliases=("a1", "a2"))
    for alias in ("a1", "a2"):
        rest(house, alias, cause)
    error = await refused(house, timeout_s=7200.0)
    assert house.clock.now() == 0.0, "nobody waits for what only a human can mend"
    assert (error.reason, error.retry_after_s) == (reason, None)
    assert error.metadata["cause"] == cause.value
    assert "sk-" not in error.message


@in_virtual_time
async def test_a_disabled_key_is_tried_again_by_whoever_comes_when_its_probe_is_due() -> None:
    house = House()
    rest(house, "a1", Cause.CREDENTIAL)
    await asyncio.sleep(601.0)
    lease = await house.acquire()
    assert (where(lease), lease.waited_s) == (("deepseek", "a1"), 0.0)
    assert (await refused(house)).reason is Reason.KEYS_REJECTED


@in_virtual_time
async def test_one_key_that_only_rests_makes_it_a_matter_of_time() -> None:
    house = House(aliases=("a1", "a2"))
    rest(house, "a2", Cause.CREDENTIAL)
    rest(house, "a1", Cause.RATE_LIMITED, 90.0)
    error = await refused(house, timeout_s=60.0)
    assert error.reason is Reason.DEADLINE_TOO_SHORT
    assert error.retry_after_s == pytest.approx(90.0)


@in_virtual_time
async def test_a_provider_without_keys_is_no_target() -> None:
    house = House()
    house.engine.ring.replace(house.keys[1:])
    assert (await refused(house)).reason is Reason.NO_TARGET_READY
    assert where(await house.acquire("both")) == ("second", "b1")


@in_virtual_time
async def test_larger_than_a_bucket_can_ever_hold_is_said_at_once() -> None:
    house = House(limits="{requests: 60, per: 60s, burst: 9}, {tokens: 100, per: 60s, burst: 100}")
    want = Want(Cost(1, 5000, 10), thinks=True, work_s=1.0, input_bytes=20_000)
    error = await refused(house, want=want)
    assert (error.reason, error.retry_after_s) == (Reason.REQUEST_EXCEEDS_LIMIT, None)
    assert error.metadata["most"] == "100"
    assert "tokens" in error.metadata["subject"]
    assert house.clock.now() == 0.0


@in_virtual_time
async def test_an_attempt_that_goes_on_takes_the_text_so_far_as_input_too() -> None:
    house = House(limits="{tokens: 100, per: 60s, burst: 100}")
    session = house.session()
    session.kept.reasoning, session.kept.answer = 20, 10
    await house.acquire_for(session)
    assert house.free()["tokens"] == 100 - PLAIN.cost.input_tokens - PLAIN.cost.output_tokens - 30


@in_virtual_time
async def test_a_text_so_far_that_no_bucket_could_hold_does_not_end_the_stream() -> None:
    house = House(limits="{tokens: 100, per: 60s, burst: 100}")
    session = house.session()
    session.kept.reasoning = 5000
    await house.acquire_for(session)
    assert house.free()["tokens"] == 0


@in_virtual_time
async def test_after_failures_the_first_of_them_is_told_and_not_the_breaker() -> None:
    house = House()
    session: Session = house.session(timeout_s=1.0)
    plan = session.begin(0, "a1", house.line("deepseek").target.resume, 0.0, 0.0)
    session.failed(plan, Failure(Cause.SERVER_ERROR, "it broke", 500), 0.0)
    trip(house)
    with pytest.raises(RequestFailed) as caught:
        await house.acquire_for(session)
    assert caught.value.reason is Reason.ATTEMPTS_EXHAUSTED
    assert caught.value.metadata["http_status"] == "500"


# -- nothing is lost -------------------------------------------------------------------------


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.4, 0.7])
@in_virtual_time
async def test_a_cancelled_wait_gives_everything_back(after_s: float) -> None:
    house = House(limits=f"{ONE_AT_A_TIME}, {SEAT}")
    first = await house.acquire()
    house.settle(first.reservation, Cost(requests=1))
    waiting = asyncio.get_running_loop().create_task(house.acquire())
    await asyncio.sleep(after_s)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.sleep(2.0)
    assert house.free() == {"requests": 1, "concurrency": 1}


@in_virtual_time
async def test_a_refusal_takes_nothing() -> None:
    house = House(limits=f"{ONE_AT_A_TIME}, {SEAT}")
    first = await house.acquire()
    await refused(house, timeout_s=0.2)
    house.settle(first.reservation)
    await asyncio.sleep(1.0)
    assert house.free() == {"requests": 1, "concurrency": 1}


@in_virtual_time
async def test_settling_twice_gives_back_once() -> None:
    house = House(limits="{concurrency: 3}")
    leases = [await house.acquire() for _ in range(2)]
    for _ in range(3):
        house.settle(leases[0].reservation)
    assert house.free() == {"concurrency": 2}


@in_virtual_time
async def test_renewing_keeps_the_seat_of_a_long_stream() -> None:
    house = House(limits=SEAT)
    house.engine.start()
    await house.acquire()
    await asyncio.sleep(20 * LEASE_S)
    assert house.free() == {"concurrency": 0}
    await house.aclose()


@in_virtual_time
async def test_without_renewing_the_seat_of_a_dead_pod_comes_back() -> None:
    house = House(limits=SEAT)
    await house.acquire()
    await asyncio.sleep(LEASE_S + 0.1)
    assert house.free() == {"concurrency": 1}


@in_virtual_time
async def test_a_settled_lease_is_not_renewed_any_more() -> None:
    house = House(limits=SEAT)
    house.engine.start()
    first = await house.acquire()
    house.settle(first.reservation)
    second = await house.acquire(want=PLAIN)
    await asyncio.sleep(2 * LEASE_S)
    assert house.free() == {"concurrency": 0}
    house.settle(second.reservation)
    await house.aclose()


@in_virtual_time
async def test_of_several_targets_too_the_bucket_in_the_way_is_named() -> None:
    house = House(limits=f"{{tokens: 1000000, per: 60s, burst: 1000000}}, {ONE_AT_A_TIME}")
    await house.acquire()
    rest(house, "b1", Cause.RATE_LIMITED, 500.0)
    error = await refused(house, route="both", timeout_s=0.6)
    assert error.reason is Reason.DEADLINE_TOO_SHORT
    assert "requests" in error.metadata["subject"]
