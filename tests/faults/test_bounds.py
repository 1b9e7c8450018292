"""A bound is forgiven what the machine took, and nothing else; what is told was measured."""

from __future__ import annotations

import pytest

from tests.faults.bounds import in_time, late_by, nearly_all, well_used


@pytest.mark.parametrize(
    ("took_s", "starved_s", "holds"),
    [(1.0, 0.0, True), (1.1, 0.0, False), (1.1, 0.2, True), (3.0, 1.5, False)],
)
def test_only_what_the_machine_took_is_forgiven(
    took_s: float, starved_s: float, holds: bool
) -> None:
    assert late_by("in time", 1.0, took_s, starved_s).holds is holds


def test_a_span_is_asked_for_by_its_moments() -> None:
    check = in_time("in time", 1.0, lambda begin, end: (end - begin) / 2, 10.0, 11.5)
    assert (check.holds, check.seen) == (True, "1.50 s, the machine took 750.0 ms")


def test_what_holds_is_told_as_it_was_measured() -> None:
    assert late_by("in time", 1.0, 0.9, 5.0).seen == "900.0 ms"


@pytest.mark.parametrize(("late", "holds"), [(1, True), (2, False)])
def test_of_a_hundred_one_may_be_late(late: int, holds: bool) -> None:
    spans = [(9.0 if n < late else 0.01, 0.0) for n in range(100)]
    assert nearly_all("p99", 1.0, spans).holds is holds


def test_of_many_each_is_forgiven_its_own() -> None:
    assert nearly_all("p99", 1.0, [(9.0, 8.5)] * 100).holds
    assert not nearly_all("p99", 1.0, [(9.0, 0.0)] * 50 + [(0.1, 9.0)] * 50).holds


def test_none_at_all_is_not_in_time() -> None:
    assert not nearly_all("p99", 1.0, []).holds


@pytest.mark.parametrize(
    ("done", "starved_s", "holds"), [(90, 0.0, True), (89, 0.0, False), (46, 5.0, True)]
)
def test_use_is_a_share_of_what_was_due_while_we_ran(
    done: int, starved_s: float, holds: bool
) -> None:
    assert well_used("used", 0.9, done, 10.0, 10.0, starved_s).holds is holds
