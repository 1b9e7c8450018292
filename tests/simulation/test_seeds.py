"""Ten thousand requests from twenty seeds; every one of them is judged (see `checks`)."""

from __future__ import annotations

import pytest

from tests.simulation.checks import judge, trace
from tests.simulation.places import UNCOUNTABLE
from tests.simulation.play import simulate
from tests.simulation.world import World

REQUESTS = 500


@pytest.mark.parametrize("seed", range(20))
def test_a_world_with_faults_keeps_every_promise(seed: int) -> None:
    figures = judge(simulate(seed, REQUESTS))
    assert figures["requests"] == REQUESTS


def test_a_world_of_nothing_but_trouble_keeps_every_promise() -> None:
    judge(simulate(101, 200, rate=0.6))


def test_garbled_events_never_reach_a_caller() -> None:
    judge(simulate(102, 300, rate=0.3, faults=UNCOUNTABLE), countable=False)


def test_the_same_seed_gives_the_same_world_to_the_letter() -> None:
    once, again = simulate(7, 150), simulate(7, 150)
    assert trace(once) == trace(again)


def test_another_seed_gives_another_world() -> None:
    assert trace(simulate(7, 50)) != trace(simulate(8, 50))


def alive(world: World) -> list[float]:
    """Callers that allowed a minute and forbade nothing: all of them could be served."""
    patient = [
        o
        for o in world.outcomes
        if o.wish.timeout_s >= 300 and not o.hung_up and o.wish.completion.on_interruption is None
    ]
    return [1.0 if o.error is None else 0.0 for o in patient]


def test_whoever_can_wait_is_served() -> None:
    served = [one for seed in range(4) for one in alive(simulate(seed, REQUESTS))]
    assert len(served) > 400
    assert sum(served) / len(served) >= 0.999
