"""What the record of a request says of its attempts and of its waits."""

from __future__ import annotations

from sidecar.core.request import Request
from sidecar.telemetry import RequestTrace, Telemetry
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import House, collected


async def traced(house: House, request: Request) -> RequestTrace:
    """The record of a request that ended well."""
    now_ns = house.clock.wall_ns()
    trace = Telemetry.disabled().request(method="m", model="m", streaming=True, now_ns=now_ns)
    await collected(house.engine.gateway.stream(request, trace))
    return trace


@in_virtual_time
async def test_an_attempt_says_how_its_key_was_chosen_and_what_was_called() -> None:
    house = House(aliases=("a1", "a2"))
    (attempt,) = (await traced(house, house.request())).attempts
    assert (attempt.candidates, attempt.cooling) == (2, 0)
    assert attempt.url == "http://alpha/chat/completions"
    await house.aclose()


@in_virtual_time
async def test_a_key_that_rests_is_counted_as_passed_over() -> None:
    # The first key is revoked: the second attempt has one key less to choose from.
    house = House("http-401", aliases=("a1", "a2"))
    first, second = (await traced(house, house.request())).attempts
    assert (first.cooling, second.cooling) == (0, 1)
    await house.aclose()


@in_virtual_time
async def test_a_pause_after_a_failure_is_a_backoff_and_not_a_queue() -> None:
    house = House("http-500")
    trace = await traced(house, house.request())
    (pause,) = trace.backoffs
    assert pause.end_ns > pause.start_ns
    assert trace.waits == []
    await house.aclose()


@in_virtual_time
async def test_a_wait_for_a_limit_is_a_queue_and_not_a_backoff() -> None:
    house = House(limits="{requests: 1, per: 10s, burst: 1}")
    await house.ask()
    trace = await traced(house, house.request())
    (wait,) = trace.waits
    assert wait.end_ns - wait.start_ns > 5e9
    assert trace.backoffs == []
    await house.aclose()
