"""A provider that comes and goes for a minute: no caller sees it, and it is soon used again."""

from __future__ import annotations

import pytest

from sidecar.routing.breaker import State
from tests.simulation.play import play
from tests.simulation.weather import Spell
from tests.simulation.world import Setting, World

# Up and down every five seconds, from second 60 to 120.
FLAPS = tuple(
    Spell("outage", "deepseek", 60.0 + 10.0 * flap, 65.0 + 10.0 * flap) for flap in range(6)
)
HEALED_S = FLAPS[-1].until_s
ROUTE = "default"


@pytest.fixture(scope="module")
def world() -> World:
    """Five minutes of a thousand callers, without any other fault."""
    return play(Setting(1, 1000, rate=0.0, length_s=300.0, spells=FLAPS))


def test_no_caller_sees_an_error(world: World) -> None:
    asked = [o for o in world.outcomes if o.wish.completion.model == ROUTE and not o.hung_up]
    assert len(asked) > 300
    assert [str(outcome.error) for outcome in asked if outcome.error is not None] == []


def test_the_provider_is_in_use_again_within_thirty_seconds(world: World) -> None:
    log = world.providers["deepseek"].log
    first = min(entry.received_s for entry in log if entry.received_s >= HEALED_S)
    assert first - HEALED_S <= 30.0
    later = [entry for entry in log if entry.received_s >= HEALED_S + 30.0]
    assert len(later) > 100
    assert {entry.status for entry in later} == {200}


def test_while_it_is_down_it_is_asked_now_and_then(world: World) -> None:
    refused = [entry for entry in world.providers["deepseek"].log if entry.status == 503]
    # Five to trip a breaker that was closed, then a probe two and four seconds later.
    assert 1 <= len(refused) <= 8 * len(FLAPS)


def test_in_the_end_its_breaker_is_closed(world: World) -> None:
    breakers = [line.breaker for line in world.pods[0].book.lines()]
    assert {breaker.state for breaker in breakers} == {State.CLOSED}
