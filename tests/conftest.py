"""How the tests are run: the same examples every time, unless others are asked for.

A run that must be green before anything lands fails for what was changed, not for the day's dice:
Hypothesis draws its examples from the test itself. `make test ARGS="--hypothesis-profile=explore"`
draws new ones, ten times as many; what it finds becomes an example of its own.

Nor does it fail for a slow day of the machine: what is marked slow has all the time it may need,
and only a hang is ended.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import settings

# Seconds. With three busy loops beside it on two cores the longest took 205; those that are not
# marked took at most 23 and keep the 300 of pyproject.toml.
SLOW_S = 1200.0

# No deadline: a slow machine is not a fault.
settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("repeat")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Give slow tests their time, unless they set their own."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_S))
