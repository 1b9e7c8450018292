"""The Lua script and its Python twin decide alike, to the last bit."""

from __future__ import annotations

import pytest

from tests.limits.servers import Server
from tests.limits.twins import Twins

pytestmark = pytest.mark.redis


def compared(server: Server, seed: int, steps: int) -> Twins:
    with server.client() as client:
        twins = Twins(client, seed)
        for _ in range(steps):
            twins.step()
        return twins


@pytest.mark.parametrize("seed", range(4))
def test_the_script_and_its_python_twin_decide_alike(server: Server, seed: int) -> None:
    assert compared(server, seed, 1000).granted > 100


@pytest.mark.slow
def test_the_twins_decide_alike_over_a_hundred_thousand_steps(server: Server) -> None:
    granted = sum(compared(server, seed, 10_000).granted for seed in range(100, 110))
    assert granted > 10_000
