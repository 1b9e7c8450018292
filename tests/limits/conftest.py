from __future__ import annotations

import pytest

from tests.limits.worlds import World, memory_world


@pytest.fixture
def world() -> World:
    """One store after the other; every test that asks for it runs over all of them."""
    return memory_world()
