"""How the card judges, for nobody would notice a judge who lets everything pass."""

from __future__ import annotations

import grpc
import pytest
from headway import HeadwayError, Partial

from tests.faults.card import (
    SIXTY,
    Call,
    Check,
    Row,
    Verdict,
    Weight,
    checks_of_call,
    verdict,
)
from tests.faults.keys import lessons
from tests.faults.published import BACKUP
from tests.faults.rows import NOT_YET, ROWS

ROW = Row(id="X", fault="none", sides=(BACKUP,), within_s=5.0)


def failed(reason: str, *, from_daemon: bool = True, took_s: float = 1.0) -> Call:
    error = HeadwayError(grpc.StatusCode.ABORTED, reason, "", from_daemon=from_daemon,
                         result=Partial(answer=SIXTY.answer[:20]))  # fmt: skip
    return Call(route="default", began=0.0, ended=took_s, stamps=(), result=None, error=error)


def broken(call: Call) -> set[Weight]:
    return {check.weight for check in checks_of_call(ROW, call) if not check.holds}


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        (set(), Verdict.PASS),
        ({Weight.ADVISORY}, Verdict.PARTIAL),
        ({Weight.IDEAL, Weight.ADVISORY}, Verdict.SAFE),
        ({Weight.REQUIRED, Weight.IDEAL}, Verdict.FAIL),
    ],
)
def test_the_worst_broken_check_decides(weights: set[Weight], wanted: Verdict) -> None:
    assert verdict(weights) is wanted


def test_a_clean_error_in_time_is_safe() -> None:
    assert verdict(broken(failed("STREAM_BROKEN"))) is Verdict.SAFE


def test_an_error_that_the_daemon_did_not_send_is_a_fail() -> None:
    assert verdict(broken(failed("DAEMON_UNREACHABLE", from_daemon=False))) is Verdict.FAIL


def test_an_end_after_the_bound_is_a_fail() -> None:
    assert verdict(broken(failed("STREAM_BROKEN", took_s=6.0))) is Verdict.FAIL


def test_every_row_of_the_reference_is_run_or_told_of() -> None:
    wanted = {f"S{n:02}" for n in range(1, 17)} | {f"H{n:02}" for n in range(1, 46)}
    assert wanted <= {row.id for row in ROWS} | set(NOT_YET)


def test_no_row_is_both_run_and_not_yet() -> None:
    assert not {row.id for row in ROWS} & set(NOT_YET)


def test_ids_are_given_once() -> None:
    ids = [row.id for row in ROWS]
    assert len(ids) == len(set(ids))


def test_a_check_tells_what_was_seen() -> None:
    assert str(Check("asked once", False, "3")) == "asked once: 3"


def test_refusals_of_requests_already_on_their_way_are_one_lesson() -> None:
    wave = [(1.000, 1.001), (1.002, 1.003), (1.010, 1.011)]
    assert lessons(wave, lambda begin, end: 0.0) == 1


def test_a_refusal_after_one_that_was_read_is_a_lesson_of_its_own() -> None:
    assert lessons([(1.000, 1.001), (1.050, 1.051)], lambda begin, end: 0.0) == 2


def test_a_daemon_without_a_cpu_reads_later() -> None:
    assert lessons([(1.000, 1.001), (1.050, 1.051)], lambda begin, end: 0.1) == 1
