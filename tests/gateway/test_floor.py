"""A stream slower than its floor is left for another target, if there is one; and the clocks that
a request sets for itself."""

from __future__ import annotations

import pytest

from sidecar.core.events import AttemptBegan, AttemptCause, Continuation, Event
from sidecar.core.failure import Cause, Failure
from sidecar.core.request import OnInterruption
from sidecar.core.target import PhaseTimeouts
from sidecar.testing import written
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import House, completed
from tests.simulation.world import held

OTHER = written(0, 0, 12)


def began(events: list[Event]) -> list[AttemptBegan]:
    return [event for event in events if isinstance(event, AttemptBegan)]


@in_virtual_time
async def test_a_drip_is_left_for_the_next_target_within_fifteen_seconds() -> None:
    house = House("tps-1")
    events = await house.ask("both")
    slow = completed(events).attempts[0]
    assert (slow.reason, slow.duration_s <= 15.0) == ("STREAM_TOO_SLOW", True)
    assert began(events)[1].cause is AttemptCause.FAILOVER
    assert began(events)[1].continuation is Continuation.RESTARTED
    assert held(events)[0].answer == OTHER.answer
    house.judge()


@in_virtual_time
async def test_a_drip_with_nowhere_to_go_is_left_alone() -> None:
    house = House("tps-1")
    (only,) = completed(await house.ask("one")).attempts
    assert only.reason == ""


@in_virtual_time
async def test_a_drip_goes_on_while_the_other_target_has_no_key_that_works() -> None:
    house = House("tps-1")
    rejected = Failure(Cause.CREDENTIAL, "no such key")
    house.engine.ring.failed(house.keys[-1], "fake-12", rejected, house.clock.now())
    assert len(completed(await house.ask("both")).attempts) == 1
    house.judge()


@in_virtual_time
async def test_a_slow_stream_is_not_broken_for_a_caller_that_wants_no_other() -> None:
    house = House("tps-1")
    events = await house.ask("both", on_interruption=OnInterruption.FAIL)
    assert len(completed(events).attempts) == 1


@in_virtual_time
async def test_a_request_may_switch_its_floor_off() -> None:
    house = House("tps-1")
    events = await house.ask("both", timeouts=PhaseTimeouts(min_tokens_per_s=0.0))
    assert len(completed(events).attempts) == 1


@in_virtual_time
async def test_a_request_may_set_its_floor_higher() -> None:
    house = House("tps-20+pause-3-30")
    events = await house.ask("both", timeouts=PhaseTimeouts(min_tokens_per_s=30.0))
    assert len(completed(events).attempts) == 1, "0.7 s of speaking are not a window"


CLOCKS = [
    (PhaseTimeouts(headers_s=2.0, connect_s=1.0), "headers-20", "NO_RESPONSE", 3.0),
    (PhaseTimeouts(first_s=2.0), "first-20", "FIRST_TOKEN_TIMEOUT", 2.0),
    (PhaseTimeouts(reasoning_gap_s=2.0, turn_s=2.0), "pause-3-20", "STREAM_STALLED", 2.045),
    (PhaseTimeouts(answer_gap_s=2.0), "pause-9-20", "STREAM_STALLED", 2.135),
    (PhaseTimeouts(total_s=0.2), "", "ATTEMPT_TIMEOUT", 0.2),
]


@pytest.mark.parametrize(("timeouts", "fault", "reason", "after_s"), CLOCKS)
@in_virtual_time
async def test_a_request_may_set_each_clock_of_its_attempts(
    timeouts: PhaseTimeouts, fault: str, reason: str, after_s: float
) -> None:
    house = House(fault)
    await house.ask("both", timeouts=timeouts)
    first = house.books.entries[0]
    assert (first.reason, first.duration_s) == (reason, pytest.approx(after_s, abs=0.1))
