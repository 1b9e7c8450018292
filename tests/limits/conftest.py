from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.limits.servers import Server, running
from tests.limits.worlds import World, memory_world


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Redis that all tests of a run share; each uses its own prefix."""
    with running(tmp_path_factory.mktemp("redis")) as one:
        yield one


@pytest.fixture
def world() -> World:
    """One store after the other; every test that asks for it runs over all of them."""
    return memory_world()
