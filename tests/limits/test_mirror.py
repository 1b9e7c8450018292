from __future__ import annotations

from sidecar.limits.mirror import Mirror
from sidecar.limits.script import Answer, Seen
from tests.limits.meters import HandClock, requests, seats

RATE, SEATS = requests(limit=60, burst=10), seats(limit=4)


def answer(now: float, **seen: Seen) -> Answer:
    names = {"rate": RATE.id, "seats": SEATS.id}
    return Answer(now, "g", 1, 1, 0, (), {names[at]: one for at, one in seen.items()})


def test_a_moment_of_the_store_is_told_in_loop_seconds() -> None:
    mirror = Mirror(HandClock(100.0), same_clock=False)
    mirror.update(answer(5e6))
    assert (mirror.now_us(), mirror.local_s(7e6)) == (5e6, 102.0)


def test_before_anything_was_seen_a_bucket_is_thought_free() -> None:
    assert Mirror(HandClock(), same_clock=True).state(RATE).tat == 0.0


def test_what_was_seen_is_what_is_thought() -> None:
    mirror = Mirror(HandClock(), same_clock=True)
    mirror.update(answer(0.0, rate=Seen(9e6, 2e6, 1e6, 30, 0)))
    state = mirror.state(RATE)
    assert (state.tat, state.unit, state.until, state.limit) == (9e6, 2e6, 1e6, 30)


def test_seats_are_counted_by_the_store() -> None:
    mirror = Mirror(HandClock(), same_clock=True)
    state = mirror.state(SEATS)
    mirror.update(answer(0.0, seats=Seen(0.0, 0.0, 0.0, 3, 2)))
    assert (state.leases.used(1e12), state.seats.limit) == (2, 3)


def test_seats_are_scarce_when_most_are_taken() -> None:
    mirror = Mirror(HandClock(), same_clock=True)
    mirror.update(answer(0.0, seats=Seen(0.0, 0.0, 0.0, 4, 2)))
    before = mirror.scarce(SEATS)
    mirror.update(answer(0.0, seats=Seen(0.0, 0.0, 0.0, 4, 3)))
    assert (before, mirror.scarce(SEATS)) == (False, True)


def test_healing_brings_only_what_was_seen() -> None:
    mirror = Mirror(HandClock(), same_clock=True)
    mirror.state(RATE)
    mirror.state(SEATS)
    mirror.update(answer(0.0, rate=Seen(9e6, 1e6, 0.0, 60, 0)))
    (heal,) = mirror.heal(lost=False)
    assert (heal.bucket, heal.rest) == (RATE, (9e6, 1e6, 0.0, False))


def test_what_was_learned_is_brought_only_to_a_store_that_lost_it() -> None:
    mirror = Mirror(HandClock(), same_clock=True)
    mirror.state(RATE)
    mirror.update(answer(0.0, rate=Seen(9e6, 2e6, 0.0, 30, 0)))
    (heal,) = mirror.heal(lost=True)
    assert heal.rest[3] == 30
