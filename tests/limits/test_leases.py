from __future__ import annotations

from sidecar.limits.leases import CEILING_US, GROW_US, Leases, SeatLimit, guaranteed, usable


def test_a_seat_is_free_again_when_its_lease_expires() -> None:
    leases = Leases()
    leases.hold("a", 10.0)
    assert (leases.used(9.9), leases.used(10.0)) == (1, 0)


def test_a_renewed_lease_outlives_its_first_expiry() -> None:
    leases = Leases()
    leases.hold("a", 10.0)
    leases.renew("a", 20.0)
    assert (leases.used(15.0), leases.used(20.0)) == (1, 0)


def test_an_expiry_never_moves_earlier() -> None:
    leases = Leases()
    leases.hold("a", 10.0)
    leases.renew("a", 5.0)
    assert leases.used(7.0) == 1


def test_a_seat_is_released_once() -> None:
    leases = Leases()
    leases.hold("a", 10.0)
    assert [leases.release("a"), leases.release("a")] == [True, False]


def test_a_limit_that_falls_from_500_to_39_is_found_in_ten_refusals_without_its_number() -> None:
    limit, now, refusals = SeatLimit(500), 0.0, 0
    while limit.limit > 39:
        now += 1e6
        refusals += 1
        limit.refuse(limit.limit, now, now)
    assert refusals <= 10


def test_a_limit_that_is_told_is_taken_at_once() -> None:
    limit = SeatLimit(500)
    limit.tell(39, 0.0)
    assert limit.limit == 39


def test_what_is_told_never_raises_the_configured_limit() -> None:
    limit = SeatLimit(50)
    limit.tell(390, 0.0)
    assert limit.limit == 50


def test_refusals_of_requests_from_before_the_cut_say_nothing_new() -> None:
    limit = SeatLimit(500)
    for _ in range(100):
        limit.refuse(500, 5.0, 10.0)
    assert limit.limit == 350


def test_a_number_that_was_refused_is_not_tried_again_for_a_minute() -> None:
    limit = SeatLimit(100)
    limit.refuse(40, 0.0, 1.0)
    for second in range(1, 60):
        limit.grow(limit.limit, second * GROW_US + 1.0)
    assert limit.limit == 39


def test_after_that_minute_it_is_tried_again() -> None:
    limit = SeatLimit(100)
    limit.refuse(40, 0.0, 1.0)
    for second in range(1, 80):
        limit.grow(limit.limit, second * GROW_US + 1.0)
    assert 79 * GROW_US > CEILING_US
    assert limit.limit > 39


def test_a_limit_that_nobody_uses_does_not_grow() -> None:
    limit = SeatLimit(100)
    limit.refuse(40, 0.0, 1.0)
    limit.grow(2, 10 * GROW_US)
    assert limit.limit == 28


def test_a_limit_that_was_growing_is_cut_gently() -> None:
    limit = SeatLimit(100)
    limit.refuse(40, 0.0, 1.0)
    limit.grow(28, 2 * GROW_US)
    limit.refuse(29, 3 * GROW_US, 3 * GROW_US)
    assert limit.limit == 26


def test_a_configured_limit_that_shrinks_takes_the_learned_one_along() -> None:
    limit = SeatLimit(100)
    limit.tell(39, 0.0)
    limit.configure(20)
    assert limit.limit == 20


def test_every_class_may_use_and_owns_at_least_one_seat() -> None:
    assert (usable(1, 0.3), guaranteed(1, 0.1)) == (1, 1)
