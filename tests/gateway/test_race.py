"""One winner, told at once; everybody else has lost."""

from __future__ import annotations

import pytest

from sidecar.gateway.race import Entrant, Lost, Race


def test_the_first_to_speak_wins_and_goes_on_winning() -> None:
    won: list[int] = []
    race = Race()
    first, second = (Entrant(race, n, hedge=n == 1, won=won.append) for n in (0, 1))
    second.claim()
    second.claim()
    assert won == [1]
    assert (first.lost, second.lost) == (True, False)
    with pytest.raises(Lost):
        first.claim()


def test_nobody_has_lost_before_somebody_speaks() -> None:
    assert not Entrant(Race(), 0, hedge=False, won=lambda number: None).lost
