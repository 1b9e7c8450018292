from __future__ import annotations

import random

from sidecar.limits.breaker import LONGEST_PROBE_S, SHORTEST_PROBE_S, StoreBreaker


def test_one_failure_is_not_an_outage() -> None:
    breaker = StoreBreaker(random.Random(1))
    assert not breaker.failed()
    assert not breaker.open


def test_the_second_failure_in_a_row_opens_it_once() -> None:
    breaker = StoreBreaker(random.Random(1))
    assert [breaker.failed() for _ in range(4)] == [False, True, False, False]


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = StoreBreaker(random.Random(1))
    breaker.failed()
    assert not breaker.worked()
    assert not breaker.failed()


def test_a_success_closes_it_and_says_so_once() -> None:
    breaker = StoreBreaker(random.Random(1))
    breaker.failed()
    breaker.failed()
    assert [breaker.worked(), breaker.worked(), breaker.open] == [True, False, False]


def test_probes_are_spread_so_that_pods_do_not_knock_together() -> None:
    breaker = StoreBreaker(random.Random(1))
    probes = {breaker.probe_in_s() for _ in range(100)}
    assert len(probes) == 100
    assert all(SHORTEST_PROBE_S <= probe <= LONGEST_PROBE_S for probe in probes)
