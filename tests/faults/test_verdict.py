"""How the card judges, for nobody would notice a judge who lets everything pass."""

from __future__ import annotations

import grpc
import pytest
from headway import HeadwayError, Partial

from sidecar.core.money import Cost
from sidecar.core.usage import Usage
from sidecar.testing import Bill, Ending, Entry
from sidecar.testing.journal import Line
from tests.faults.card import (
    SIXTY,
    Call,
    Check,
    Outcome,
    Row,
    Seen,
    Verdict,
    Weight,
    checks_of_call,
    measured,
    verdict,
)
from tests.faults.keys import lessons
from tests.faults.published import BACKUP
from tests.faults.redis import BURST, PROBED, RATE, SETTLE_S, excess, hardly_later
from tests.faults.report import page
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


def arrival(at: float, model: str = "fake-2") -> Entry:
    return Entry(
        number=1, received_s=at, received_wall_ns=0, dialect="chat", flavour="openai", path="/v1",
        model=model, key="k", account="a", stream=True, body_bytes=1, body=None, prefix=None,
        fault="", status=200, head_s=None, first_token_s=at + 0.25, last_byte_s=None, ended_s=None,
        ending=Ending.COMPLETE, sent_bytes=0, blocked_s=0.0, usage=Usage(), cost=Cost(),
    )  # fmt: skip


def test_what_a_limit_lets_through_is_no_excess() -> None:
    steady = [arrival(n / RATE) for n in range(3 * RATE)]
    assert excess([*(arrival(0.0) for _ in range(BURST - 1)), *steady]) == 0


def test_one_more_than_a_limit_lets_through_is_one_too_many() -> None:
    assert excess([arrival(5.0) for _ in range(BURST + 1)]) == 1


def test_requests_that_only_measure_are_not_counted_against_the_limit() -> None:
    assert excess([arrival(5.0, f"fake-2{PROBED}") for _ in range(9 * BURST)]) == 0


def slowed(seconds: float, share: float) -> list[Check]:
    """Of a hundred requests a share began later by so much than their provider did."""
    late = [seconds if n < 100 * share else 0.0 for n in range(100)]
    probes = [(1.0 + n, 1.25 + n + s) for n, s in enumerate(late)]
    log = tuple(arrival(1.0 + n, f"fake-2{PROBED}") for n in range(100))
    notes = {"starved": lambda begin, end: 0.0, "probes": probes, "changes": [-SETTLE_S]}
    one = Seen(row=ROW, calls=(), log=log, bill=Bill(Line(), {}, {}), ledger=(), zero=0.0,
               exit_code=0, notes=notes)  # fmt: skip
    return [check for check in hardly_later(one) if not check.holds and check.measured]


@pytest.mark.parametrize(
    ("seconds", "share", "bad"), [(9.0, 0.01, 0), (0.05, 1.0, 0), (0.07, 0.02, 1)]
)
def test_of_added_latency_the_99th_percentile_counts(
    seconds: float, share: float, bad: int
) -> None:
    assert len(slowed(seconds, share)) == bad


def test_what_was_measured_stands_on_the_page_although_it_holds() -> None:
    outcome = Outcome(row=ROW, verdict=Verdict.PASS, seen="a: complete", broken=(), took_s=1.0,
                      figures=(measured("back within 15 s", True, "11.0 s"),))  # fmt: skip
    assert "a: complete; back within 15 s: 11.0 s" in page({"X": outcome}, {}, {})
