"""How names of models are read."""

from __future__ import annotations

import pytest

from sidecar.testing.asked import Plan
from sidecar.testing.faults import FAULTS
from sidecar.testing.faults.base import UnknownBehaviour, Window, applied, read_behaviour


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("cut-3", Window()),
        ("cut-3@1", Window(1, 1)),
        ("cut-3@2..4", Window(2, 4)),
        ("cut-3@2..", Window(2, None)),
        ("cut-3@60s", Window(seconds=60.0)),
        ("cut-3@0.5s", Window(seconds=0.5)),
    ],
)
def test_a_window_says_which_attempts(text: str, window: Window) -> None:
    assert applied(text, FAULTS).window == window


def test_a_window_of_attempts_holds_within_its_bounds() -> None:
    assert [Window(2, 4).holds(n, 0.0) for n in range(1, 6)] == [False, True, True, True, False]


def test_a_window_of_seconds_holds_from_the_first_attempt() -> None:
    assert [Window(seconds=60).holds(1, s) for s in (0.0, 59.9, 60.0)] == [True, True, False]


@pytest.mark.parametrize(
    "name", ["gpt-5", "fake", "fake-x", "fake-60+sing", "fake-60+cut", "", "+"]
)
def test_a_name_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(UnknownBehaviour):
        read_behaviour(name, FAULTS, Plan())


def test_a_tag_means_nothing() -> None:
    plain = read_behaviour("fake-60+cut-3", FAULTS, Plan())
    assert read_behaviour("fake-60+cut-3#seventh", FAULTS, Plan()) == plain


def test_faults_are_read_in_their_order() -> None:
    behaviour = read_behaviour("fake-60+cut-3+octet@2", FAULTS, Plan())
    assert [fault.text for fault in behaviour.applied] == ["cut-3", "octet@2"]


@pytest.mark.parametrize("text", ["tps-0", "tps-0.0", "keepalive-20-0", "error-sing-3", "http-99"])
def test_a_parameter_out_of_its_range_is_refused(text: str) -> None:
    with pytest.raises(UnknownBehaviour):
        applied(text, FAULTS)


def test_the_longest_word_is_taken() -> None:
    assert applied("error-anthropic-api-3", FAULTS).args == {"FORM": "anthropic-api", "K": "3"}
    assert applied("error-anthropic-3", FAULTS).args == {"FORM": "anthropic", "K": "3"}
