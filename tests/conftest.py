"""How the tests are run: the same examples every time, unless others are asked for.

A run that must be green before anything lands fails for what was changed, not for the day's dice:
Hypothesis draws its examples from the test itself. `make test ARGS="--hypothesis-profile=explore"`
draws new ones, ten times as many; what it finds becomes an example of its own.
"""

from __future__ import annotations

from hypothesis import settings

# No deadline: a slow machine is not a fault.
settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("repeat")
