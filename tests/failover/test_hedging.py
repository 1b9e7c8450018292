"""When a first token is late, and how many requests may be hedged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.target import Hedge
from sidecar.failover.experience import ENOUGH, MOST_SAVED, FirstTokens, HedgeShare
from sidecar.failover.hedging import late_after


def test_a_duration_is_what_it_says() -> None:
    assert late_after(Hedge(2.0), FirstTokens()) == 2.0


def test_nobody_is_late_while_nothing_is_known() -> None:
    assert late_after(Hedge(), FirstTokens()) is None


def test_late_is_what_one_in_twenty_is() -> None:
    firsts = FirstTokens()
    for number in range(ENOUGH):
        firsts.saw(float(number))
    assert late_after(Hedge(), firsts) == ENOUGH - 1.0


@given(st.floats(0.01, 1.0), st.lists(st.booleans(), max_size=300))
def test_hedges_are_never_more_than_their_share(share: float, late: list[bool]) -> None:
    kept, hedged = HedgeShare(), 0
    for number, is_late in enumerate(late, 1):
        kept.asked(share)
        hedged += is_late and kept.take()
        assert hedged <= share * number + 1e-6


def test_a_quiet_day_does_not_save_up_a_storm() -> None:
    kept = HedgeShare()
    for _ in range(100_000):
        kept.asked(0.05)
    assert sum(kept.take() for _ in range(1000)) == MOST_SAVED
