"""`headway models` and `headway providers`."""

from __future__ import annotations

import pytest

from sidecar.providers.table import PROFILES
from tests.cli.home import Home

pytestmark = pytest.mark.process


def test_routes_and_targets_of_a_daemon_are_listed(served: Home) -> None:
    done = served.run("models")

    assert done.code == 0
    assert "north/fake-demo+ms-1+cut-answer-30, then south/fake-demo+ms-1" in done.out
    assert "0.60 USD" in done.out


def test_every_built_in_provider_is_listed(home: Home) -> None:
    done = home.run("providers")

    assert [line.split()[0] for line in done.out.splitlines()[1:]] == list(PROFILES)
