"""One look at what could serve: all pairs of target and key, and what each waits for."""

from __future__ import annotations

from sidecar.core.failure import Cause, Failure
from sidecar.gateway.search import Search
from sidecar.testing.virtual import in_virtual_time
from tests.gateway.house import PLAIN, House


def look(house: House, route: str = "both") -> Search:
    world, now = house.engine.gateway.world, house.clock.now()
    session = house.session(route)
    return Search(session, world, PLAIN, house.engine.ring, house.store, now)


@in_virtual_time
async def test_every_key_of_every_target_is_an_option() -> None:
    house = House(aliases=("a1", "a2"))
    assert [(o.rank, o.key) for o in look(house).options()] == [(0, 0), (0, 1), (1, 0)]


@in_virtual_time
async def test_an_option_says_what_it_waits_for() -> None:
    house = House()
    limited = Failure(Cause.RATE_LIMITED, "slow down", retry_after_s=3.0)
    house.engine.ring.failed(house.keys[0], "fake-reasoner-6-8", limited, house.clock.now())
    first, second = look(house).options()
    assert first.ready_at > house.clock.now()
    assert first.blocked_by[0] == "bucket"
    assert second.blocked_by == ("", "")


@in_virtual_time
async def test_the_best_that_is_free_is_chosen_at_once() -> None:
    choice = look(House()).at_once()
    assert choice is not None
    assert choice.rank == 0
