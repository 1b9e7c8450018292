"""Fixtures of the room's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .collector import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    made.endpoint = f"http://127.0.0.1:{made.start()}"
    yield made
    made.close()


@pytest.fixture
def silent() -> Iterator[Collector]:
    """A collector that does not listen yet: its test says where."""
    made = Collector()
    yield made
    made.close()
