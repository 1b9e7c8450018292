"""Counts of a session: equal ones are not the same one."""

from __future__ import annotations

from sidecar.failover.standing import Kept, Stamps, Standing


def test_two_targets_with_equal_histories_are_told_apart() -> None:
    standings = (Standing(), Standing())
    assert standings.index(standings[1]) == 1


def test_what_still_stands_is_reasoning_and_answer() -> None:
    assert Kept(3, 4).total == 7


def test_the_first_stamp_of_a_phase_stays() -> None:
    stamps = Stamps()
    stamps.saw(answer=False, since_s=1.0)
    stamps.saw(answer=False, since_s=2.0)
    assert (stamps.first_reasoning_s, stamps.first_answer_s) == (1.0, None)
