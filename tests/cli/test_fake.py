"""`headway fake-provider`."""

from __future__ import annotations

import pytest

from sidecar.testing.faults import FAULTS
from tests.cli.home import Home

pytestmark = pytest.mark.process


def test_it_lists_all_that_a_models_name_can_say(home: Home) -> None:
    done = home.run("fake-provider", "--list")

    assert done.code == 0
    assert [fault.name for fault in FAULTS if fault.name not in done.out] == []


@pytest.mark.parametrize("option", ["--limit=nonsense", "--key=nonsense", "--price=m", "--model=x"])
def test_an_option_that_means_nothing_is_told(home: Home, option: str) -> None:
    done = home.run("fake-provider", option)

    assert (done.code, "Traceback" in done.both) == (2, False)


def test_a_port_that_is_taken_is_told(home: Home) -> None:
    with home.running("fake-provider", "--port=0", ready="log") as first:
        port = first.said.split("127.0.0.1:")[1].split()[0]
        done = home.run("fake-provider", f"--port={port}")

    assert done.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.err
