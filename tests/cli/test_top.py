"""`headway top`."""

from __future__ import annotations

import pytest
from headway.v1 import control_pb2, status_pb2

from sidecar.cli.top import FOOT, fitted, screen
from tests.cli.home import Home

STATE = status_pb2.DaemonStatus(version="1.2.3")


def test_what_the_last_minute_cost_stands_at_the_top() -> None:
    usage = control_pb2.GetUsageResponse()
    usage.total.requests, usage.total.attempts = 2, 3
    usage.total.cost.total_nano_usd = 1_500_000_000
    usage.rows.add(provider="p", model="m", attempts=3).cost.total_nano_usd = 1_500_000_000

    lines = screen(STATE, usage)

    assert lines[1] == "last minute: 1.50 USD, 2 requests, 3 attempts, 0 tokens out"
    assert any(line.split()[:1] == ["p/m"] and line.endswith("1.50 USD") for line in lines)


def test_a_minute_without_a_request_costs_nothing() -> None:
    lines = screen(STATE, control_pb2.GetUsageResponse())

    assert lines[1] == "last minute: 0.00 USD, 0 requests, 0 attempts, 0 tokens out"


def test_a_small_terminal_shows_what_fits_and_says_what_does_not() -> None:
    assert fitted(["one", "two and more", "three"], 5, 2) == ["one", "q qui"]
    assert fitted(["one", "two", "three"], 80, 2)[-1] == "q quits; 2 lines below"


def test_a_large_terminal_shows_everything() -> None:
    assert fitted(["one", "two"], 80, 24) == ["one", "two", FOOT]


@pytest.mark.process
def test_it_shows_a_running_daemon_until_q_is_pressed(served: Home) -> None:
    assert served.run("chat", "hello").code == 0

    done = served.on_terminal("top", until="q quits", then="q")

    assert done.code == 0
    assert "last minute: " in done.out
    assert "north/fake-demo+ms-1" in done.out


@pytest.mark.process
def test_in_a_pipe_it_says_what_to_use_instead(served: Home) -> None:
    done = served.run("top")

    assert (done.code, "headway status --watch" in done.err) == (2, True)


@pytest.mark.process
def test_without_a_daemon_it_leaves_the_terminal_and_says_so(home: Home) -> None:
    done = home.on_terminal("top", "--target", f"unix://{home.folder}/nobody.sock")

    assert (done.code, "DAEMON_UNREACHABLE" in done.out) == (1, True)
