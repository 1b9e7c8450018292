from __future__ import annotations

import math

import pytest

from sidecar.limits import book
from sidecar.limits.book import LEARNED_US, Ask, Chosen, Class, State, Waits, amounts_of
from sidecar.limits.bucket import Bucket, Cost, Dimension
from tests.limits.meters import requests, seats, tokens

SECOND = 1e6
PLAIN = Class("plain")


SMALL = Cost(1, 10, 20)


def asking(cost: Cost = SMALL, klass: Class = PLAIN) -> Ask:
    return Ask(amounts_of(cost), klass, 0.0, 15 * SECOND, "lease")


def took(*states: State, ask: Ask | None = None, now: float = 0.0) -> Chosen:
    decision = book.decide([(states, 0.0)], ask or asking(), now)
    assert isinstance(decision, Chosen), decision
    return decision


@pytest.mark.parametrize("dimension", list(Dimension))
def test_amounts_stand_in_the_order_of_the_dimensions(dimension: Dimension) -> None:
    cost = Cost(1, 10, 20)
    assert amounts_of(cost)[book.INDEX[dimension]] == cost.of(dimension)


def test_the_level_after_a_take_is_what_was_taken() -> None:
    state = State(requests(limit=60, burst=10))
    took(state)
    assert state.tat == SECOND


def test_a_slower_rate_keeps_the_number_of_units_in_use() -> None:
    state = State(requests(limit=60, burst=10))
    for _ in range(4):
        took(state)
    state.configure(requests(limit=30, burst=10), 0.0)
    assert (state.tat, state.room) == (8 * SECOND, 20 * SECOND)


def test_a_learned_limit_is_forgotten_and_the_level_scaled_back() -> None:
    state = State(requests(limit=60, burst=60))
    state.learn(30, 0.0)
    took(state, now=book.LEARNED_US)
    state.fresh(book.LEARNED_US)
    assert (state.limit, state.tat - book.LEARNED_US) == (60, SECOND)


def test_a_learned_limit_bounds_the_burst_too() -> None:
    state = State(requests(limit=60, burst=120))
    state.learn(30, 0.0)
    assert (state.limit, state.burst) == (30, 30)


def test_a_reserve_holds_back_while_others_may_go() -> None:
    state = State(requests(limit=60, burst=10))
    batch = asking(klass=Class("batch", reserve=0.5))
    for _ in range(5):
        took(state, ask=batch)
    assert isinstance(book.decide([([state], 0.0)], batch, 0.0), Waits)
    took(state)


def test_a_guarantee_lets_a_class_go_in_spite_of_the_reserve_and_is_charged() -> None:
    state = State(requests(limit=60, burst=10))
    for _ in range(6):
        took(state)
    chosen = took(state, ask=asking(klass=Class("batch", reserve=0.5, guarantee=0.1)))
    assert chosen.takes[0].covered
    assert state.cover_tat == 10 * SECOND


def test_a_refund_of_a_guaranteed_take_is_given_back_to_the_guarantee() -> None:
    state, klass = State(requests(limit=60, burst=10)), Class("batch", 0.5, 0.1)
    for _ in range(6):
        took(state)
    (take,) = took(state, ask=asking(klass=klass)).takes
    book.settle(state, take, "lease", 0, klass, 0.0)
    assert (state.cover_tat, state.tat) == (0.0, 6 * SECOND)


def test_what_a_class_is_covered_for_may_be_reserved_ahead_without_a_horizon() -> None:
    state, klass = State(requests(limit=60, burst=1)), Class("batch", 0.5, 0.5)
    took(state)
    decision = book.decide([([state], 0.0)], asking(klass=klass), 0.5 * SECOND)
    assert isinstance(decision, Waits)


def test_a_dear_request_of_a_class_with_a_reserve_goes_when_the_bucket_is_full() -> None:
    state = State(tokens(limit=6000, burst=100))
    took(state, ask=asking(Cost(1, 100), Class("batch", reserve=0.9)))


def test_nothing_is_taken_from_a_bucket_of_another_dimension() -> None:
    state = State(tokens(limit=6000, burst=100))
    took(state, ask=asking(Cost(1, 0, 0)))
    assert state.tat == 0.0


def test_a_wait_names_the_bucket_in_the_way() -> None:
    free, spent = State(requests("free")), State(requests("spent", burst=1))
    took(spent)
    decision = book.decide([([free, spent], 0.0)], asking(), 0.0)
    assert isinstance(decision, Waits)
    assert decision.blocker == spent.bucket


def test_of_two_that_cannot_go_the_sooner_is_told() -> None:
    slow, fast = State(requests("slow", limit=6, burst=1)), State(requests("fast", burst=1))
    took(slow)
    took(fast)
    decision = book.decide([([slow], 0.0), ([fast], 0.0)], asking(), 0.0)
    assert isinstance(decision, Waits)
    assert (decision.leave, decision.blocker) == (SECOND, fast.bucket)


def test_the_share_is_that_of_the_tightest_bucket() -> None:
    half, seated = State(requests(limit=60, burst=2)), State(seats(limit=4))
    took(half)
    took(seated)
    assert book.share_of([half, seated], 0.0) == 0.5


def test_a_bucket_in_debt_has_no_share() -> None:
    state = State(requests(limit=60, burst=2))
    state.tat = 100 * SECOND
    assert book.share_of([state], 0.0) == 0.0


def test_a_bare_refusal_means_that_nothing_is_left() -> None:
    assert book.units_left(book.Observation(refused=True)) == 0


def test_silence_says_nothing_of_what_is_left() -> None:
    assert book.units_left(book.Observation(limit=5)) is None


def test_a_description_is_in_seconds_of_the_loop() -> None:
    bucket = Bucket("b", "p", Dimension.REQUESTS, 60, 60.0, 1)
    state = State(bucket)
    took(state, now=10 * SECOND)
    told = book.describe(state, 10 * SECOND, 3 * SECOND)
    assert (told.free_now, told.next_free_at) == (0, 8.0)


def test_a_debt_is_described_as_less_than_nothing() -> None:
    state = State(tokens(burst=5))
    state.tat = (state.room + 3 * state.unit) + 10 * SECOND
    assert book.describe(state, 10 * SECOND, 0.0).free_now == -3


def test_a_description_says_until_when_a_learned_limit_holds() -> None:
    state = State(Bucket("b", "p", Dimension.REQUESTS, 60, 60.0, 1))
    assert book.describe(state, 0.0, 0.0).learned_until == math.inf
    state.learn(30, 10 * SECOND)
    told = book.describe(state, 10 * SECOND, 3 * SECOND)
    assert (told.source, told.limit_now) == ("learned", 30)
    assert told.learned_until == (10 * SECOND + LEARNED_US - 3 * SECOND) / SECOND


def test_a_request_dearer_than_the_burst_is_never_reached() -> None:
    reach = book.reach([State(tokens(burst=5))], 0.0, asking(), 0.0)
    assert reach.leave == math.inf
